// The newest value of each signal: from the site's answer, or from the live feed where that is newer.
import { timeMs, type VehicleState } from '../../api/types'
import { inOrder, type Signal, SPEED, signalOf } from '../../fleet/signals'
import type { Row } from '../../fleet/state'

export interface Value {
  signal: Signal
  value: number
  ageMs: number
  source: 'gps' | 'obd'
}

/** `at`: local time at which `state` was received; ages grow from there. */
export function currentValues(state: VehicleState, at: number, row: Row, now: number): Value[] {
  const waited = Math.max(0, Date.now() - at)
  return inOrder(Object.keys(state.signals)).flatMap((path) => {
    const known = state.signals[path]
    if (!known || typeof known.value !== 'number') return []
    const value: Value = {
      signal: signalOf(path),
      value: known.value,
      ageMs: known.age_ms + waited,
      source: known.source,
    }
    const t = timeMs(known.t)
    const newer = path === SPEED && row.speed !== undefined && row.t !== undefined
    if (newer && t !== undefined && (row.t as number) > t) {
      value.value = row.speed as number
      value.ageMs = Math.max(0, now - (row.t as number))
    }
    return [value]
  })
}
