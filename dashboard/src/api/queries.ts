// What pages ask the site for, with TanStack Query. Keys begin with the resource.
import { QueryClient, useQuery } from '@tanstack/react-query'
import { fleet } from '../fleet/store'
import { serverNow } from '../sites/clock'
import { Unreachable } from '../sites/site'
import { ApiError, call, get } from './request'
import type { Config, History, Me, Page, Track, Vehicle, VehicleState } from './types'

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: 'always',
      staleTime: 5_000,
      retry: (count, error) => count < 2 && worthRetry(error),
      retryDelay: (count) => 500 * 2 ** count,
    },
    mutations: { networkMode: 'always', retry: false },
  },
})

function worthRetry(error: unknown): boolean {
  return error instanceof Unreachable || (error instanceof ApiError && error.status === 429)
}

const LIST_LIMIT = 500

/** Every page of the list, in the server's order; the store learns it too. */
async function allVehicles(signal: AbortSignal): Promise<Vehicle[]> {
  const items: Vehicle[] = []
  let cursor = ''
  do {
    const after = cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''
    const page = await get<Page<Vehicle>>(`/vehicles?limit=${LIST_LIMIT}${after}`, signal)
    items.push(...page.items)
    cursor = page.next ?? ''
  } while (cursor)
  fleet.putList(items)
  return items
}

export function useVehicles() {
  return useQuery({
    queryKey: ['vehicles'],
    queryFn: ({ signal }) => allVehicles(signal),
    refetchInterval: 60_000,
  })
}

export interface Loaded {
  vehicle: Vehicle
  etag: string | undefined
}

async function oneVehicle(vin: string, signal: AbortSignal): Promise<Loaded> {
  const { data, etag } = await call<Vehicle>(`/vehicles/${vin}`, { signal })
  fleet.putOne(data)
  return { vehicle: data, etag }
}

export function useVehicle(vin: string) {
  return useQuery({
    queryKey: ['vehicles', vin],
    queryFn: ({ signal }) => oneVehicle(vin, signal),
    refetchInterval: 60_000,
  })
}

export function useVehicleState(vin: string) {
  return useQuery({
    queryKey: ['state', vin],
    queryFn: ({ signal }) => get<VehicleState>(`/vehicles/${vin}/state`, signal),
    refetchInterval: 2_000,
    staleTime: 0,
  })
}

// What was asked while more than a minute of it is left is not prolonged: asking a little sooner leaves no gap.
const WATCH_MS = 50_000

/** Tell the site that somebody looks at this vehicle, as long as the page is visible. */
export function useWatch(vin: string) {
  useQuery({
    queryKey: ['watch', vin],
    queryFn: async ({ signal }) => {
      await call(`/vehicles/${vin}/watch`, { method: 'PUT', signal })
      return serverNow()
    },
    refetchInterval: WATCH_MS,
    staleTime: 0,
  })
}

export const HISTORY_POINTS = 600

export function useHistory(vin: string, signals: string[], spanMs: number, refreshMs: number) {
  return useQuery({
    queryKey: ['history', vin, signals, spanMs],
    queryFn: ({ signal }) => {
      const to = serverNow()
      const query = new URLSearchParams({
        signals: signals.join(','),
        from: new Date(to - spanMs).toISOString(),
        to: new Date(to).toISOString(),
        points: String(HISTORY_POINTS),
      })
      return get<History>(`/vehicles/${vin}/history?${query}`, signal)
    },
    enabled: signals.length > 0,
    refetchInterval: refreshMs,
    placeholderData: (old) => old,
  })
}

export function useTrack(vin: string | undefined, spanMs: number) {
  return useQuery({
    queryKey: ['track', vin, spanMs],
    queryFn: ({ signal }) => {
      const to = serverNow()
      const query = new URLSearchParams({
        from: new Date(to - spanMs).toISOString(),
        to: new Date(to).toISOString(),
      })
      return get<Track>(`/vehicles/${vin}/track?${query}`, signal)
    },
    enabled: vin !== undefined,
    staleTime: 60_000,
  })
}

export function useMe() {
  return useQuery({
    queryKey: ['me'],
    queryFn: ({ signal }) => get<Me>('/me', signal),
    staleTime: 300_000,
  })
}

export function useConfig() {
  return useQuery({
    queryKey: ['config'],
    queryFn: async ({ signal }) =>
      (await call<Config>('/config', { anonymous: true, signal })).data,
    staleTime: 300_000,
  })
}
