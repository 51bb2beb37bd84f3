// History answers into the columns a chart wants. A time at which a signal has no value is
// `undefined` (the line passes over it); `null` ends the line: the signal was silent there.
import type { History, Series } from '../../api/types'

export type Column = (number | null | undefined)[]

export interface Columns {
  /** ms since 1970 UTC, ascending, each once. */
  t: number[]
  /** For each signal in the order asked for: its value and the extremes round it. */
  signals: { v: Column; min: Column; max: Column }[]
}

const EMPTY: Series = { t: [], v: [] }
const HOLE_STEPS = 5
const HOLE_MIN_MS = 15_000

/** A pause longer than this many usual steps is drawn as a hole, not as a line. */
export function holeMs(t: number[]): number {
  if (t.length < 3) return HOLE_MIN_MS
  const steps = t.slice(1).map((x, i) => x - (t[i] as number))
  steps.sort((a, b) => a - b)
  return Math.max(HOLE_MIN_MS, HOLE_STEPS * (steps[steps.length >> 1] as number))
}

type Point = { v: number | null; min: number | null; max: number | null }

function points(series: Series): Map<number, Point> {
  const map = new Map<number, Point>()
  const limit = holeMs(series.t)
  series.t.forEach((t, i) => {
    const before = series.t[i - 1]
    if (before !== undefined && t - before > limit)
      map.set(before + 1, { v: null, min: null, max: null })
    const v = series.v[i] ?? null
    map.set(t, { v, min: series.min?.[i] ?? v, max: series.max?.[i] ?? v })
  })
  return map
}

export function columns(history: History, paths: string[]): Columns {
  const each = paths.map((path) => points(history.signals[path] ?? EMPTY))
  const t = [...new Set(each.flatMap((map) => [...map.keys()]))].sort((a, b) => a - b)
  const column = (map: Map<number, Point>, key: keyof Point) => t.map((x) => map.get(x)?.[key])
  return {
    t,
    signals: each.map((map) => ({
      v: column(map, 'v'),
      min: column(map, 'min'),
      max: column(map, 'max'),
    })),
  }
}

export interface Extent {
  min: number
  max: number
  last: number
}

export function extent(series: Series | undefined): Extent | undefined {
  const numbers = (list: (number | null)[] | undefined) =>
    (list ?? []).filter((x): x is number => x !== null)
  const v = numbers(series?.v)
  const last = v.at(-1)
  if (last === undefined) return undefined
  return {
    min: Math.min(...v, ...numbers(series?.min)),
    max: Math.max(...v, ...numbers(series?.max)),
    last,
  }
}

export interface TableRow {
  t: number
  v: (number | undefined)[]
}

/** The table twin: newest first, at most `rows` lines spread over the span. */
export function tableRows(columns: Columns, rows: number): TableRow[] {
  const full = columns.t
    .map((t, i) => ({ t, v: columns.signals.map((s) => s.v[i] ?? undefined) }))
    .filter((row) => row.v.some((v) => v !== undefined))
  const step = Math.max(1, Math.ceil(full.length / rows))
  return full.reverse().filter((_, i) => i % step === 0)
}
