// React's view of the live store.
import { useMemo, useSyncExternalStore } from 'react'
import { serverNow } from '../sites/clock'
import { linkNow, subscribeLink } from './feed'
import { FLEET_STATES, type FleetState, fleetState, type Row } from './state'
import { fleet } from './store'

// One clock for every age on screen: one timer, however many rows show an age.
let tick = serverNow()
const tickers = new Set<() => void>()
let timer: ReturnType<typeof setInterval> | undefined

function subscribeTick(listener: () => void): () => void {
  tickers.add(listener)
  if (!timer) {
    tick = serverNow()
    timer = setInterval(() => {
      tick = serverNow()
      for (const each of tickers) each()
    }, 1000)
  }
  return () => {
    tickers.delete(listener)
    if (tickers.size === 0) {
      clearInterval(timer)
      timer = undefined
    }
  }
}

/** Server time, once a second. */
export function useNow(): number {
  return useSyncExternalStore(subscribeTick, () => tick)
}

export function useRow(vin: string): Row | undefined {
  const subscribe = useMemo(() => (l: () => void) => fleet.subscribeRow(vin, l), [vin])
  return useSyncExternalStore(subscribe, () => fleet.get(vin))
}

export function useLink() {
  return useSyncExternalStore(subscribeLink, linkNow)
}

export interface Fleet {
  rows: Row[]
  state: Map<string, FleetState>
  counts: Record<FleetState, number>
}

/** The whole fleet, read once a second, or when a vehicle comes or goes: never once a frame. */
export function useFleet(): Fleet {
  const now = useNow()
  const size = useSyncExternalStore(fleet.subscribe, () => fleet.size)
  // biome-ignore lint/correctness/useExhaustiveDependencies: size says that the list has changed
  return useMemo(() => readFleet(now), [now, size])
}

export function readFleet(now: number, rows = [...fleet.all()]): Fleet {
  const counts = Object.fromEntries(FLEET_STATES.map((s) => [s, 0])) as Record<FleetState, number>
  const state = new Map<string, FleetState>()
  for (const row of rows) {
    const s = fleetState(row, now)
    state.set(row.vin, s)
    counts[s]++
  }
  return { rows, state, counts }
}
