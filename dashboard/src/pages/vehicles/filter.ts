// The list's filters, read from and written to the address, and what they let through.
import { CONNECTIVITY, type Connectivity } from '../../api/types'
import { connectivityNow, FLEET_STATES, type FleetState, type Row, title } from '../../fleet/state'
import type { Fleet } from '../../fleet/use-fleet'

export const SORTS = ['name', 'state', 'speed', 'age'] as const
export type Sort = (typeof SORTS)[number]

export interface Filter {
  q: string
  state: FleetState | ''
  connectivity: Connectivity | ''
  sort: Sort
  down: boolean
}

const oneOf = <T extends string>(value: string | null, list: readonly T[]): T | '' =>
  list.includes(value as T) ? (value as T) : ''

export function readFilter(params: URLSearchParams): Filter {
  return {
    q: params.get('q') ?? '',
    state: oneOf(params.get('state'), FLEET_STATES),
    connectivity: oneOf(params.get('connectivity'), CONNECTIVITY),
    sort: oneOf(params.get('sort'), SORTS) || 'name',
    down: params.get('order') === 'down',
  }
}

/** Only what differs from the default stands in the address. */
export function writeFilter(filter: Filter): URLSearchParams {
  const params = new URLSearchParams()
  if (filter.q) params.set('q', filter.q)
  if (filter.state) params.set('state', filter.state)
  if (filter.connectivity) params.set('connectivity', filter.connectivity)
  if (filter.sort !== 'name') params.set('sort', filter.sort)
  if (filter.down) params.set('order', 'down')
  return params
}

const plain = (text: string) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()

export function matches(row: Row, words: string[]): boolean {
  if (words.length === 0) return true
  const text = plain(
    [row.vin, row.name, row.plate, row.make, row.customer].filter(Boolean).join(' '),
  )
  const bare = text.replace(/[\s-]/g, '')
  return words.every((word) => text.includes(word) || bare.includes(word.replace(/-/g, '')))
}

export function applyFilter(fleet: Fleet, filter: Filter, now: number): Row[] {
  const words = plain(filter.q).split(/\s+/).filter(Boolean)
  const rows = fleet.rows.filter(
    (row) =>
      (!filter.state || fleet.state.get(row.vin) === filter.state) &&
      (!filter.connectivity || connectivityNow(row, now) === filter.connectivity) &&
      matches(row, words),
  )
  const sign = filter.down ? -1 : 1
  return rows.sort((a, b) => sign * compare(fleet, filter.sort, a, b) || byName(a, b))
}

function byName(a: Row, b: Row): number {
  return title(a).localeCompare(title(b), undefined, { numeric: true }) || (a.vin < b.vin ? -1 : 1)
}

function compare(fleet: Fleet, sort: Sort, a: Row, b: Row): number {
  if (sort === 'state') {
    const place = (row: Row) => FLEET_STATES.indexOf(fleet.state.get(row.vin) ?? 'never')
    return place(a) - place(b)
  }
  if (sort === 'speed') return (b.speed ?? -1) - (a.speed ?? -1)
  if (sort === 'age') return (b.t ?? 0) - (a.t ?? 0)
  return byName(a, b)
}
