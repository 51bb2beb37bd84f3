// From the live store to what the map draws.
import type { Feature, FeatureCollection, Point as GeoPoint } from 'geojson'
import type { Track } from '../api/types'
import { fleetState, type Row, title } from '../fleet/state'
import type { Point } from '../fleet/store'
import { markName } from './marks'

export function placed(row: Row): row is Row & { lat: number; lon: number } {
  return row.lat !== undefined && row.lon !== undefined
}

export function vehicleFeature(row: Row & { lat: number; lon: number }, now: number) {
  const state = fleetState(row, now)
  return {
    type: 'Feature',
    properties: {
      vin: row.vin,
      label: title(row),
      mark: markName(state),
      turn: state === 'moving' ? (row.heading ?? 0) : 0,
    },
    geometry: { type: 'Point', coordinates: [row.lon, row.lat] },
  } satisfies Feature<GeoPoint>
}

/** All placed vehicles but the selected one, which has a source of its own: it is never clustered. */
export function vehicleFeatures(
  rows: Iterable<Row>,
  now: number,
  selected: string | undefined,
): FeatureCollection {
  const features: Feature[] = []
  for (const row of rows)
    if (row.vin !== selected && placed(row)) features.push(vehicleFeature(row, now))
  return { type: 'FeatureCollection', features }
}

const BREAK_MS = 120_000
const FASTEST_MPS = 100

/** Metres between two points; good for the short steps of a trail. */
export function metres(
  a: Readonly<Point> | [number, number],
  b: Readonly<Point> | [number, number],
): number {
  const rad = Math.PI / 180
  const [lonA = 0, latA = 0] = a
  const [lonB = 0, latB = 0] = b
  const x = (lonB - lonA) * rad * Math.cos(((latA + latB) / 2) * rad)
  const y = (latB - latA) * rad
  return Math.hypot(x, y) * 6_371_008.8
}

/** The way in pieces: a long silence, an impossible jump or private mode is not drawn as a road. */
export function pieces(points: readonly Point[]): [number, number][][] {
  const lines: [number, number][][] = []
  let line: [number, number][] = []
  points.forEach((point, i) => {
    const before = points[i - 1]
    if (before) {
      const ms = point[2] - before[2]
      if (
        point[3] ||
        ms > BREAK_MS ||
        metres(before, point) > (FASTEST_MPS * Math.max(ms, 1000)) / 1000
      ) {
        lines.push(line)
        line = []
      }
    }
    line.push([point[0], point[1]])
  })
  lines.push(line)
  return lines.filter((l) => l.length > 1)
}

export function trackPoints(track: Track | undefined): Point[] {
  const line = track?.features[0]
  const times = line?.properties.times ?? []
  const begins = new Set(line?.properties.parts)
  return (line?.geometry?.coordinates ?? []).map(([lon, lat], i) => [
    lon,
    lat,
    times[i] ?? 0,
    begins.has(i),
  ])
}

/** Recorded way first, then what has come live since. */
export function trailFeatures(
  recorded: readonly Point[],
  live: readonly Point[],
  row: Row | undefined,
): FeatureCollection {
  const end = recorded.at(-1)?.[2] ?? 0
  const points = [...recorded, ...live.filter((p) => p[2] > end)]
  const last = points.at(-1)
  if (row && placed(row) && row.fixT !== undefined && last && row.fixT > last[2])
    points.push([row.lon, row.lat, row.fixT])
  const geometry = { type: 'MultiLineString' as const, coordinates: pieces(points) }
  return { type: 'FeatureCollection', features: [{ type: 'Feature', properties: {}, geometry }] }
}

export type Bounds = [[number, number], [number, number]]

export function boundsOf(rows: Iterable<Row>): Bounds | undefined {
  let box: Bounds | undefined
  for (const row of rows) {
    if (!placed(row)) continue
    box ??= [
      [row.lon, row.lat],
      [row.lon, row.lat],
    ]
    box[0] = [Math.min(box[0][0], row.lon), Math.min(box[0][1], row.lat)]
    box[1] = [Math.max(box[1][0], row.lon), Math.max(box[1][1], row.lat)]
  }
  return box
}
