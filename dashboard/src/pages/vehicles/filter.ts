// The list's filters, read from and written to the address, and what they let through.
import { CONNECTIVITY, type Connectivity } from '../../api/types'
import { connectivityNow, FLEET_STATES, type FleetState, type Row, title } from '../../fleet/state'
import type { Fleet } from '../../fleet/use-fleet'

export const SORTS = ['name', 'state', 'speed', 'age'] as const
export type Sort = (typeof SORTS)[number]

export interface Filter {
  q: string
  /** None: any. */
  states: FleetState[]
  connectivity: Connectivity | ''
  sort: Sort
  down: boolean
}

const oneOf = <T extends string>(value: string | null, list: readonly T[]): T | '' =>
  list.includes(value as T) ? (value as T) : ''

const isState = (value: string): value is FleetState => FLEET_STATES.includes(value as FleetState)

export function readFilter(params: URLSearchParams): Filter {
  return {
    q: params.get('q') ?? '',
    states: (params.get('state') ?? '').split(',').filter(isState),
    connectivity: oneOf(params.get('connectivity'), CONNECTIVITY),
    sort: oneOf(params.get('sort'), SORTS) || 'name',
    down: params.get('order') === 'down',
  }
}

/** Only what differs from the default stands in the address. */
export function writeFilter(filter: Filter): URLSearchParams {
  const params = new URLSearchParams()
  if (filter.q) params.set('q', filter.q)
  if (filter.states.length > 0) params.set('state', filter.states.join(','))
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
      (filter.states.length === 0 || filter.states.includes(fleet.state.get(row.vin) ?? 'never')) &&
      (!filter.connectivity || connectivityNow(row, now) === filter.connectivity) &&
      matches(row, words),
  )
  const sign = filter.down ? -1 : 1
  const rank = nameRanks(fleet.rows)
  const byName = (a: Row, b: Row) => (rank.get(a.vin) ?? 0) - (rank.get(b.vin) ?? 0)
  const compare = COMPARE[filter.sort]
  return rows.sort((a, b) => sign * (compare?.(fleet, a, b) ?? byName(a, b)) || byName(a, b))
}

const COMPARE: Partial<Record<Sort, (fleet: Fleet, a: Row, b: Row) => number>> = {
  state: (fleet, a, b) => {
    const place = (row: Row) => FLEET_STATES.indexOf(fleet.state.get(row.vin) ?? 'never')
    return place(a) - place(b)
  },
  speed: (_, a, b) => (b.speed ?? -1) - (a.speed ?? -1),
  age: (_, a, b) => (b.t ?? 0) - (a.t ?? 0),
}

// Comparing names as people do is slow, and names hardly ever change while positions do every second:
// the order is kept until a name does.
const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })
let ranked = new Map<string, string>()
let ranks = new Map<string, number>()

function nameRanks(rows: Row[]): Map<string, number> {
  const known =
    rows.length === ranked.size && rows.every((row) => ranked.get(row.vin) === title(row))
  if (known) return ranks
  ranked = new Map(rows.map((row) => [row.vin, title(row)]))
  const order = [...ranked].sort(
    ([vinA, a], [vinB, b]) => collator.compare(a, b) || (vinA < vinB ? -1 : 1),
  )
  ranks = new Map(order.map(([vin], i) => [vin, i]))
  return ranks
}
