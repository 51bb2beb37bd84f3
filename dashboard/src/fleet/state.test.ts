import { describe, expect, it } from 'vitest'
import { connectivityNow, fleetState, freshness, type Row } from './state'

const NOW = 1_800_000_000_000
const row = (more: Partial<Row>): Row => ({
  vin: 'WVWZZZ1KZAW000001',
  connectivity: 'online',
  t: NOW,
  ...more,
})

describe('fleetState', () => {
  it('tells moving, idle and stopped apart', () => {
    expect(fleetState(row({ speed: 50, ignition: true }), NOW)).toBe('moving')
    expect(fleetState(row({ speed: 0, ignition: true }), NOW)).toBe('idle')
    expect(fleetState(row({ speed: 0, ignition: false }), NOW)).toBe('stopped')
    expect(fleetState(row({ speed: 0 }), NOW)).toBe('stopped')
  })

  it('calls a driving vehicle late after 60 s and lost after 180 s, whatever the site said last', () => {
    const driving = row({ speed: 50, ignition: true })
    expect(fleetState(driving, NOW + 59_999)).toBe('moving')
    expect(fleetState(driving, NOW + 60_000)).toBe('late')
    expect(fleetState(driving, NOW + 180_000)).toBe('lost')
  })

  it('lets a parked vehicle be silent', () => {
    expect(fleetState(row({ speed: 0, ignition: false }), NOW + 300_000)).toBe('stopped')
  })

  it('never makes the word of the site better', () => {
    expect(connectivityNow(row({ connectivity: 'lost', speed: 50 }), NOW)).toBe('lost')
    expect(connectivityNow(row({ connectivity: 'sleeping', ignition: true }), NOW + 1e6)).toBe(
      'sleeping',
    )
  })
})

describe('freshness', () => {
  it('is live while one vehicle on the road is fresh', () => {
    const old = row({ t: NOW - 100_000, speed: 50 })
    expect(freshness([old, row({ speed: 30 })], NOW)).toEqual({ state: 'live' })
  })

  it('tells the age of the newest data when all on the road are behind', () => {
    const rows = [row({ t: NOW - 90_000, speed: 50 }), row({ t: NOW - 40_000, speed: 30 })]
    expect(freshness(rows, NOW)).toEqual({ state: 'delayed', ageMs: 40_000 })
  })

  it('stays delayed until the site gives the vehicle up', () => {
    const late = row({ t: NOW - 100_000, speed: 50, connectivity: 'late' })
    expect(freshness([late], NOW)).toEqual({ state: 'delayed', ageMs: 100_000 })
  })

  it('says since when nothing comes', () => {
    const rows = [row({ t: NOW - 700_000, speed: 50 })]
    expect(freshness(rows, NOW)).toEqual({ state: 'quiet', since: NOW - 700_000 })
  })

  it('does not take parked, sleeping or unknown vehicles for a delay', () => {
    const parked = row({ t: NOW - 500_000, speed: 0, ignition: false })
    const asleep = row({ t: NOW - 500_000, ignition: true, connectivity: 'sleeping' })
    const never = row({ t: undefined, connectivity: 'never' })
    expect(freshness([parked, asleep, never], NOW)).toEqual({ state: 'live' })
    expect(freshness([], NOW)).toEqual({ state: 'live' })
  })
})
