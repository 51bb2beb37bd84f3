import { describe, expect, it } from 'vitest'
import type { Row } from '../../fleet/state'
import { readFleet } from '../../fleet/use-fleet'
import { applyFilter, readFilter, writeFilter } from './filter'

const NOW = 1_800_000_000_000
const rows: Row[] = [
  { vin: 'A', name: 'Zoé 2', plate: 'AB-123-CD', connectivity: 'online', t: NOW, speed: 40 },
  { vin: 'B', name: 'Zoé 10', make: 'Renault', connectivity: 'online', t: NOW - 9000, speed: 0 },
  { vin: 'C', name: 'Master', connectivity: 'lost', t: NOW - 9e6, speed: 80 },
]
const ask = (query: string) =>
  applyFilter(readFleet(NOW, [...rows]), readFilter(new URLSearchParams(query)), NOW).map(
    (r) => r.vin,
  )

describe('filters of the list', () => {
  it('sorts names as people do', () => {
    expect(ask('')).toEqual(['C', 'A', 'B'])
  })

  it('finds without accents, case, and dashes of a plate', () => {
    expect(ask('q=zoe')).toEqual(['A', 'B'])
    expect(ask('q=ab123')).toEqual(['A'])
    expect(ask('q=renault+zoe')).toEqual(['B'])
    expect(ask('q=nothing')).toEqual([])
  })

  it('lets one state or one connectivity through', () => {
    expect(ask('state=moving')).toEqual(['A'])
    expect(ask('state=lost')).toEqual(['C'])
    expect(ask('state=moving,lost')).toEqual(['C', 'A'])
    expect(ask('connectivity=online')).toEqual(['A', 'B'])
  })

  it('ignores what it does not know', () => {
    expect(ask('state=flying&sort=colour')).toEqual(['C', 'A', 'B'])
  })

  it('puts the freshest first, or last', () => {
    expect(ask('sort=age')).toEqual(['A', 'B', 'C'])
    expect(ask('sort=age&order=down')).toEqual(['C', 'B', 'A'])
  })

  it('writes only what differs from the default, and reads it back', () => {
    expect(writeFilter(readFilter(new URLSearchParams())).toString()).toBe('')
    const query = 'q=zo%C3%A9&state=idle%2Clate&sort=speed&order=down'
    expect(writeFilter(readFilter(new URLSearchParams(query))).toString()).toBe(query)
  })
})
