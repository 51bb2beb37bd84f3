// What the site answers, as its description in proto/ words it. Times are RFC 3339 UTC, signals are in
// VSS units; a key that was not measured is absent, never null.

export type Connectivity = 'online' | 'late' | 'lost' | 'sleeping' | 'never'
export const CONNECTIVITY: readonly Connectivity[] = ['online', 'late', 'lost', 'sleeping', 'never']

export type Role = 'owner' | 'admin' | 'dispatcher' | 'mechanic' | 'driver' | 'auditor'

export interface Customer {
  id: string
  name: string
}

export interface Me {
  id: string
  username: string
  name?: string
  role: Role
  locale?: string
  customer?: Customer
}

export interface SiteAddress {
  id: string
  label: string
  api: string
  ws: string
  media?: string
}

export interface Config {
  site: string
  version?: string
  sites: SiteAddress[]
  map: {
    kind: 'builtin' | 'raster' | 'vector' | 'pmtiles'
    url: string | null
    attribution: string
    maxzoom: number
    dark: string | null
  }
}

export interface Vehicle {
  vin: string
  name?: string
  plate?: string
  make?: string
  customer?: Customer
  class?: string
  fuel?: string
  status?: string
  connectivity: Connectivity
  last_seen?: string
  t?: string
  lat?: number
  lon?: number
  speed?: number
  heading?: number
  /** Private since then, and without a place. */
  private_since?: string
  ignition?: boolean
  version: number
  created_at?: string
}

export interface VehicleInput {
  name?: string
  plate?: string
  make?: string
  class?: string
  fuel?: string
}

export interface Page<T> {
  items: T[]
  next?: string | null
}

export interface SignalValue {
  value: number
  /** RFC 3339, or ms since 1970: read it with `timeMs`. */
  t: string | number
  age_ms: number
  source: 'gps' | 'obd'
}

export interface VehicleState {
  vin: string
  connectivity: Connectivity
  signals: Record<string, SignalValue>
}

export interface Series {
  t: number[]
  v: (number | null)[]
  min?: (number | null)[]
  max?: (number | null)[]
}

export interface History {
  signals: Record<string, Series>
}

export interface Track {
  type: 'FeatureCollection'
  features: {
    type: 'Feature'
    geometry: { type: 'LineString'; coordinates: [number, number][] } | null
    /** parts: indices of places no way leads to from the one before */
    properties: { vin: string; times: number[]; speeds: (number | null)[]; parts?: number[] }
  }[]
}

export interface Ticket {
  ticket: string
  expires_in: number
}

/** One vehicle in a `snapshot` or `live` frame of the socket; name and plate come in snapshots only. */
export interface LiveVehicle {
  vin: string
  name?: string
  plate?: string
  t?: number
  lat?: number
  lon?: number
  speed?: number
  heading?: number
  /** ms: private since then, and without a place */
  private_since?: number
  ignition?: boolean
  connectivity?: Connectivity
  age_ms?: number
}

export interface Problem {
  type?: string
  title?: string
  status?: number
  detail?: string
  instance?: string
  errors?: { pointer: string; code: string }[]
}

export function timeMs(t: string | number | undefined): number | undefined {
  if (t === undefined) return undefined
  const ms = typeof t === 'number' ? t : Date.parse(t)
  return Number.isFinite(ms) ? ms : undefined
}
