// Vehicle identification numbers: 17 characters of ISO 3779, and the check digit North America uses.
const FORM = /^[A-HJ-NPR-Z0-9]{17}$/
const LETTERS = 'ABCDEFGH.JKLMN.P.R..STUVWXYZ'
const WEIGHTS = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2]

export function isVin(text: string): boolean {
  return FORM.test(text)
}

/** As typed or pasted: upper case, without spaces and dashes. */
export function tidyVin(text: string): string {
  return text.toUpperCase().replace(/[\s-]/g, '')
}

function worth(character: string): number {
  if (character >= '0' && character <= '9') return Number(character)
  // A=1 … H=8, J=1 … N=5, P=7, R=9, S=2 … Z=9
  const at = LETTERS.indexOf(character)
  if (at < 9) return at + 1
  if (at < 20) return at - 8
  return at - 18
}

/** Whether position 9 is the check digit of the others. Many makers outside North America put
 *  something else there, so a mismatch warns and never refuses. */
export function checkDigitFits(vin: string): boolean {
  if (!isVin(vin)) return false
  const sum = [...vin].reduce((s, c, i) => s + worth(c) * (WEIGHTS[i] ?? 0), 0)
  const digit = sum % 11
  return vin[8] === (digit === 10 ? 'X' : String(digit))
}
