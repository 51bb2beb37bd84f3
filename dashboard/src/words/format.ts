// Numbers, times and ages as the reader's language writes them: all spacing comes from Intl or words.
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** An age in the largest unit that tells enough: 42 s, 3 min, 2 h, 5 d. */
export function largest(ms: number): { value: number; unit: 'second' | 'minute' | 'hour' | 'day' } {
  if (ms < 2 * MINUTE) return { value: Math.floor(ms / SECOND), unit: 'second' }
  if (ms < 2 * HOUR) return { value: Math.floor(ms / MINUTE), unit: 'minute' }
  if (ms < 2 * DAY) return { value: Math.floor(ms / HOUR), unit: 'hour' }
  return { value: Math.floor(ms / DAY), unit: 'day' }
}

export interface Format {
  number(value: number, digits?: number): string
  /** "3 s ago" */
  ago(ms: number): string
  /** "3 s" */
  span(ms: number): string
  time(ms: number): string
  seconds(ms: number): string
  dateTime(ms: number): string
  /** "14:02" today, with the date otherwise */
  since(ms: number, now: number): string
  speed(kmh: number): string
}

/** English here is written the European way: 24 hours, day before month. */
const REGION: Record<string, string> = { en: 'en-GB' }

export function makeFormat(words: string): Format {
  const language = REGION[words] ?? words
  const numbers = new Map<number, Intl.NumberFormat>()
  const ago = new Intl.RelativeTimeFormat(language, { style: 'short' })
  const spans = new Map<string, Intl.NumberFormat>()
  const clock = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit' })
  const seconds = new Intl.DateTimeFormat(language, { timeStyle: 'medium' })
  const full = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' })
  const speed = new Intl.NumberFormat(language, {
    style: 'unit',
    unit: 'kilometer-per-hour',
    maximumFractionDigits: 0,
  })
  const number = (value: number, digits = 0) => {
    let format = numbers.get(digits)
    if (!format) {
      format = new Intl.NumberFormat(language, {
        minimumFractionDigits: digits,
        maximumFractionDigits: digits,
      })
      numbers.set(digits, format)
    }
    return format.format(value)
  }
  const span = (ms: number) => {
    const { value, unit } = largest(ms)
    let format = spans.get(unit)
    if (!format) {
      format = new Intl.NumberFormat(language, { style: 'unit', unit, unitDisplay: 'short' })
      spans.set(unit, format)
    }
    return format.format(value)
  }
  return {
    number,
    span,
    ago: (ms) => {
      const { value, unit } = largest(ms)
      return ago.format(-value, unit)
    },
    time: (ms) => clock.format(ms),
    seconds: (ms) => seconds.format(ms),
    dateTime: (ms) => full.format(ms),
    since: (ms, now) => (now - ms < 12 * HOUR ? clock.format(ms) : full.format(ms)),
    speed: (kmh) => speed.format(kmh),
  }
}

export function useFormat(): Format {
  const { i18n } = useTranslation()
  return useMemo(() => makeFormat(i18n.language), [i18n.language])
}
