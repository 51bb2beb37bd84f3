// The live store: newest known facts of each vehicle, outside React state. Rows are replaced, never
// changed, so a component may compare them by identity (useSyncExternalStore).
import { type LiveVehicle, timeMs, type Vehicle } from '../api/types'
import { clockSee } from '../sites/clock'
import type { Row } from './state'

/** One point of a vehicle's recent way: [lon, lat, ms]; true: no way leads to it from the one before. */
export type Point = [number, number, number, boolean?]
const TRAIL_POINTS = 900

export class FleetStore {
  /** Counts changes of any kind; a cheap snapshot for whoever shows the whole fleet. */
  version = 0
  private readonly rows = new Map<string, Row>()
  private readonly trails = new Map<string, Point[]>()
  private readonly rowListeners = new Map<string, Set<() => void>>()
  private readonly listeners = new Set<() => void>()
  private readonly changed = new Set<string>()

  get(vin: string): Row | undefined {
    return this.rows.get(vin)
  }

  all(): IterableIterator<Row> {
    return this.rows.values()
  }

  get size(): number {
    return this.rows.size
  }

  trail(vin: string): readonly Point[] {
    return this.trails.get(vin) ?? []
  }

  /** VINs changed since the last call: what the map has to draw again. */
  takeChanged(): Set<string> {
    const taken = new Set(this.changed)
    this.changed.clear()
    return taken
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  subscribeRow(vin: string, listener: () => void): () => void {
    let set = this.rowListeners.get(vin)
    if (!set) {
      set = new Set()
      this.rowListeners.set(vin, set)
    }
    set.add(listener)
    return () => set.delete(listener)
  }

  /** The complete list from the REST side: decides which vehicles exist. */
  putList(vehicles: Vehicle[]): void {
    const listed = new Set(vehicles.map((v) => v.vin))
    for (const vin of this.rows.keys()) if (!listed.has(vin)) this.remove(vin)
    for (const vehicle of vehicles) this.put(fromRest(vehicle))
    this.tell()
  }

  putOne(vehicle: Vehicle): void {
    this.put(fromRest(vehicle))
    this.tell()
  }

  /** Frames of the socket. Answers true when one named a vehicle never listed. */
  putLive(vehicles: LiveVehicle[]): boolean {
    let unknown = false
    for (const live of vehicles) {
      if (!this.rows.has(live.vin)) unknown = true
      if (live.t !== undefined && live.age_ms !== undefined) clockSee(live.t + live.age_ms)
      this.put(fromLive(live))
    }
    this.tell()
    return unknown
  }

  clear(): void {
    for (const vin of [...this.rows.keys()]) this.remove(vin)
    this.tell()
  }

  private put(next: Partial<Row> & { vin: string }): void {
    const old = this.rows.get(next.vin)
    const row = old ? merge(old, next) : ({ connectivity: 'never', ...next } as Row)
    if (row === old) return
    this.rows.set(row.vin, row)
    this.changed.add(row.vin)
    this.extend(row)
    for (const listener of this.rowListeners.get(row.vin) ?? []) listener()
  }

  private extend(row: Row): void {
    if (row.lat === undefined || row.lon === undefined || row.fixT === undefined) return
    const trail = this.trails.get(row.vin) ?? []
    const last = trail.at(-1)
    if (last && (last[2] >= row.fixT || (last[0] === row.lon && last[1] === row.lat))) return
    const grown = [...trail, [row.lon, row.lat, row.fixT] as Point]
    this.trails.set(row.vin, grown.length > TRAIL_POINTS ? grown.slice(-TRAIL_POINTS) : grown)
  }

  private remove(vin: string): void {
    this.rows.delete(vin)
    this.trails.delete(vin)
    this.changed.add(vin)
    for (const listener of this.rowListeners.get(vin) ?? []) listener()
  }

  private tell(): void {
    this.version++
    for (const listener of this.listeners) listener()
  }
}

const MASTER = ['name', 'plate', 'make', 'customer', 'class', 'fuel'] as const
const MEASURED = ['speed', 'ignition', 'heading'] as const

/** Newest sample wins; what an older one says about the vehicle itself (its name) still counts. */
function merge(old: Row, next: Partial<Row>): Row {
  const row: Row = { ...old }
  for (const key of MASTER) if (key in next) row[key] = next[key]
  const stale = old.t !== undefined && (next.t === undefined || next.t < old.t)
  if (!stale) {
    if (next.connectivity) row.connectivity = next.connectivity
    if (next.t !== undefined) takeSample(row, next)
    row.privateSince = next.privateSince
    if (row.privateSince !== undefined) hidePlace(row)
  } else if (next.t === undefined && next.connectivity) {
    row.connectivity = next.connectivity
  }
  return same(old, row) ? old : row
}

function takeSample(row: Row, next: Partial<Row>): void {
  row.t = next.t
  const measured = row as unknown as Record<string, unknown>
  for (const key of MEASURED) measured[key] = next[key]
  if (next.lat !== undefined && next.lon !== undefined) {
    row.lat = next.lat
    row.lon = next.lon
    row.fixT = next.t
  }
}

/** Not even the last one from before: that is where private mode begins. */
function hidePlace(row: Row): void {
  row.lat = undefined
  row.lon = undefined
  row.heading = undefined
  row.fixT = undefined
}

function same(a: Row, b: Row): boolean {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof Row>
  for (const key of keys) if (a[key] !== b[key]) return false
  return true
}

function fromRest(v: Vehicle): Partial<Row> & { vin: string } {
  return {
    vin: v.vin,
    name: v.name,
    plate: v.plate,
    make: v.make,
    customer: v.customer?.name,
    class: v.class,
    fuel: v.fuel,
    ...sample(v, timeMs(v.t)),
  }
}

function fromLive(v: LiveVehicle): Partial<Row> & { vin: string } {
  const master: Partial<Row> = {}
  if (v.name !== undefined) master.name = v.name
  if (v.plate !== undefined) master.plate = v.plate
  return { vin: v.vin, ...master, ...sample(v, v.t) }
}

function sample(v: Vehicle | LiveVehicle, t: number | undefined): Partial<Row> {
  const row: Partial<Row> = { t, speed: v.speed, heading: v.heading, ignition: v.ignition }
  if (v.connectivity) row.connectivity = v.connectivity
  row.privateSince = typeof v.private_since === 'string' ? timeMs(v.private_since) : v.private_since
  if (v.lat !== undefined && v.lon !== undefined) {
    row.lat = v.lat
    row.lon = v.lon
    row.fixT = t
  }
  return row
}

export const fleet = new FleetStore()
