// What a vehicle is doing, in one word, from what is known and how old that is.
import type { Connectivity } from '../api/types'

export interface Row {
  vin: string
  name?: string
  plate?: string
  make?: string
  customer?: string
  class?: string
  fuel?: string
  connectivity: Connectivity
  /** ms since 1970 UTC of the newest sample; absent when none ever came. */
  t?: number
  lat?: number
  lon?: number
  /** ms since 1970 UTC of the position, which may be older than `t` (no fix in a tunnel). */
  fixT?: number
  /** ms: private since then. */
  privateSince?: number
  speed?: number
  heading?: number
  ignition?: boolean
}

/** online, moving or not, in detail; then the words for silence. */
export const FLEET_STATES = [
  'moving',
  'idle',
  'stopped',
  'late',
  'lost',
  'sleeping',
  'never',
] as const
export type FleetState = (typeof FLEET_STATES)[number]

export const MOVING_KMH = 3
const DRIVING_LATE_MS = 60_000
const DRIVING_LOST_MS = 180_000

export function ageMs(row: Row, now: number): number | undefined {
  return row.t === undefined ? undefined : Math.max(0, now - row.t)
}

/** Was on the road when last heard: engine on, or moving. */
export function driving(row: Row): boolean {
  return row.ignition === true || (row.speed ?? 0) >= MOVING_KMH
}

/** The site's word, which can only get worse here while nothing new comes. */
export function connectivityNow(row: Row, now: number): Connectivity {
  const age = ageMs(row, now)
  if (age === undefined || !driving(row)) return row.connectivity
  if (row.connectivity === 'online' || row.connectivity === 'late') {
    if (age >= DRIVING_LOST_MS) return 'lost'
    if (age >= DRIVING_LATE_MS) return 'late'
  }
  return row.connectivity
}

export function fleetState(row: Row, now: number): FleetState {
  const link = connectivityNow(row, now)
  if (link !== 'online') return link
  if ((row.speed ?? 0) >= MOVING_KMH) return 'moving'
  return row.ignition === true ? 'idle' : 'stopped'
}

/** No longer to be read as the present. */
export function isOld(state: FleetState): boolean {
  return state === 'late' || state === 'lost' || state === 'never'
}

export function title(row: Pick<Row, 'vin' | 'name' | 'plate'>): string {
  return row.name || row.plate || row.vin
}

export type Freshness =
  | { state: 'live' }
  | { state: 'delayed'; ageMs: number }
  | { state: 'quiet'; since: number }

export const DELAYED_MS = 12_000
const QUIET_MS = 600_000

/** How fresh the feed as a whole is. Only vehicles last heard on the road count: a parked car says
 *  nothing for minutes, and that is no delay. One fresh car proves the feed alive. */
export function freshness(rows: Iterable<Row>, now: number): Freshness {
  let newest: number | undefined
  let road = false
  for (const row of rows) {
    if (row.t === undefined) continue
    if (newest === undefined || row.t > newest) newest = row.t
    if (driving(row) && row.connectivity !== 'sleeping' && row.connectivity !== 'lost') road = true
  }
  if (newest === undefined || !road || now - newest < DELAYED_MS) return { state: 'live' }
  if (now - newest < QUIET_MS) return { state: 'delayed', ageMs: now - newest }
  return { state: 'quiet', since: newest }
}
