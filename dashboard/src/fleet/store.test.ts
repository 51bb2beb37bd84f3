import { describe, expect, it, vi } from 'vitest'
import type { Vehicle } from '../api/types'
import { FleetStore } from './store'

const VIN = 'WVWZZZ1KZAW000001'
const T = 1_800_000_000_000
const listed = (more: Partial<Vehicle> = {}): Vehicle => ({
  vin: VIN,
  name: 'Kangoo',
  connectivity: 'online',
  version: 1,
  ...more,
})

describe('FleetStore', () => {
  it('keeps the newest sample, whichever way it came', () => {
    const store = new FleetStore()
    store.putList([listed({ t: new Date(T).toISOString(), speed: 10, lat: 48, lon: 7 })])
    store.putLive([{ vin: VIN, t: T + 2000, speed: 30, lat: 48.1, lon: 7.1 }])
    store.putList([listed({ t: new Date(T + 1000).toISOString(), speed: 20, lat: 48.05, lon: 7 })])
    expect(store.get(VIN)).toMatchObject({ t: T + 2000, speed: 30, lat: 48.1, lon: 7.1 })
  })

  it('keeps the name when a frame carries none', () => {
    const store = new FleetStore()
    store.putList([listed()])
    store.putLive([{ vin: VIN, t: T, speed: 1 }])
    expect(store.get(VIN)?.name).toBe('Kangoo')
  })

  it('takes a new name from a list whose sample is older', () => {
    const store = new FleetStore()
    store.putLive([{ vin: VIN, t: T, speed: 1 }])
    store.putList([listed({ name: 'Master', t: new Date(T - 5000).toISOString() })])
    expect(store.get(VIN)).toMatchObject({ name: 'Master', t: T, speed: 1 })
  })

  it('forgets a value that was not measured, but keeps the last position with its own time', () => {
    const store = new FleetStore()
    store.putLive([{ vin: VIN, t: T, speed: 40, ignition: true, lat: 48, lon: 7 }])
    store.putLive([{ vin: VIN, t: T + 5000, ignition: true }])
    const row = store.get(VIN)
    expect(row?.speed).toBeUndefined()
    expect(row).toMatchObject({ lat: 48, lon: 7, fixT: T, t: T + 5000 })
  })

  it('forgets the last place of a car that turns private, and shows the next one after', () => {
    const store = new FleetStore()
    store.putLive([{ vin: VIN, t: T, speed: 40, lat: 48, lon: 7, heading: 90 }])
    store.putLive([{ vin: VIN, t: T + 1000, speed: 41, private_since: T + 500 }])
    expect(store.get(VIN)).toMatchObject({ speed: 41, privateSince: T + 500 })
    for (const key of ['lat', 'lon', 'heading', 'fixT'] as const)
      expect(store.get(VIN)?.[key]).toBeUndefined()
    store.putLive([{ vin: VIN, t: T + 2000, speed: 42, lat: 48.1, lon: 7.1 }])
    expect(store.get(VIN)).toMatchObject({ lat: 48.1, fixT: T + 2000 })
    expect(store.get(VIN)?.privateSince).toBeUndefined()
  })

  it('says when a frame names a vehicle never listed', () => {
    const store = new FleetStore()
    expect(store.putLive([{ vin: VIN, t: T }])).toBe(true)
    expect(store.putLive([{ vin: VIN, t: T + 1 }])).toBe(false)
  })

  it('drops what the list no longer holds', () => {
    const store = new FleetStore()
    store.putList([listed()])
    store.putList([])
    expect(store.size).toBe(0)
  })

  it('tells a row only about its own change', () => {
    const store = new FleetStore()
    const other = 'WVWZZZ1KZAW000002'
    store.putList([listed(), listed({ vin: other })])
    const one = vi.fn()
    const two = vi.fn()
    store.subscribeRow(VIN, one)
    store.subscribeRow(other, two)
    store.putLive([{ vin: VIN, t: T, speed: 3 }])
    expect(one).toHaveBeenCalledTimes(1)
    expect(two).not.toHaveBeenCalled()
  })

  it('keeps the identity of a row that did not change', () => {
    const store = new FleetStore()
    store.putList([listed({ t: new Date(T).toISOString(), speed: 10 })])
    const before = store.get(VIN)
    store.putList([listed({ t: new Date(T).toISOString(), speed: 10 })])
    expect(store.get(VIN)).toBe(before)
  })

  it('draws the trail from the positions that came, each once, in order', () => {
    const store = new FleetStore()
    store.putLive([{ vin: VIN, t: T, lat: 48, lon: 7 }])
    store.putLive([{ vin: VIN, t: T + 1000, lat: 48.001, lon: 7 }])
    store.putLive([{ vin: VIN, t: T + 500, lat: 50, lon: 7 }])
    store.putLive([{ vin: VIN, t: T + 2000, speed: 0 }])
    expect(store.trail(VIN)).toEqual([
      [7, 48, T],
      [7, 48.001, T + 1000],
    ])
  })

  it('takes 10,000 vehicles in one frame', () => {
    const store = new FleetStore()
    const frame = Array.from({ length: 10_000 }, (_, i) => ({
      vin: `V${i}`,
      t: T,
      lat: 48,
      lon: 7,
    }))
    store.putLive(frame)
    expect(store.size).toBe(10_000)
    expect(store.version).toBe(1)
  })
})
