// The server's clock, as far as it has been seen. Every age on screen is server time minus sample
// time, so a computer whose clock is wrong still shows true ages.

/** Differences below this are transport delay and the Date header's whole seconds, not a wrong clock. */
const NOISE_MS = 1500

let offsetMs = 0

export function clockSee(serverMs: number, localMs = Date.now()): void {
  if (!Number.isFinite(serverMs)) return
  const difference = serverMs - localMs
  offsetMs = Math.abs(difference) < NOISE_MS ? 0 : difference
}

export function serverNow(): number {
  return Date.now() + offsetMs
}
