import { describe, expect, it } from 'vitest'
import type { Track } from '../api/types'
import type { Row } from '../fleet/state'
import type { Point } from '../fleet/store'
import { boundsOf, pieces, trackPoints, trailFeatures, vehicleFeatures } from './features'

const NOW = 1_800_000_000_000
const row = (vin: string, more: Partial<Row> = {}): Row => ({
  vin,
  connectivity: 'online',
  t: NOW,
  lat: 48.5,
  lon: 7.7,
  ...more,
})

describe('vehicles on the map', () => {
  it('turns the arrow of a moving vehicle only', () => {
    const rows = [row('A', { speed: 50, heading: 271 }), row('B', { speed: 0, heading: 90 })]
    const { features } = vehicleFeatures(rows, NOW, undefined)
    expect(features[0]?.properties).toMatchObject({ mark: 'vehicle-moving', turn: 271 })
    expect(features[1]?.properties).toMatchObject({ mark: 'vehicle-stopped', turn: 0 })
  })

  it('greys a vehicle that has gone silent', () => {
    const { features } = vehicleFeatures([row('A', { speed: 50 })], NOW + 200_000, undefined)
    expect(features[0]?.properties?.mark).toBe('vehicle-lost')
  })

  it('leaves out the selected one and those without a position', () => {
    const rows = [row('A'), row('B', { lat: undefined }), row('C')]
    const { features } = vehicleFeatures(rows, NOW, 'A')
    expect(features.map((f) => f.properties?.vin)).toEqual(['C'])
  })

  it('makes 10,000 features', () => {
    const rows = Array.from({ length: 10_000 }, (_, i) => row(`V${i}`))
    expect(vehicleFeatures(rows, NOW, undefined).features.length).toBe(10_000)
  })

  it('bounds all that have a position', () => {
    const rows = [row('A'), row('B', { lat: 48.1, lon: 7.9 }), row('C', { lat: undefined })]
    expect(boundsOf(rows)).toEqual([
      [7.7, 48.1],
      [7.9, 48.5],
    ])
    expect(boundsOf([])).toBeUndefined()
  })
})

describe('the trail', () => {
  const step = (i: number): Point => [7.7 + i * 0.0001, 48.5, NOW + i * 1000]

  it('is not drawn across a long silence or an impossible jump', () => {
    const jump: Point = [8.7, 48.5, NOW + 3000]
    const silence: Point = [7.7, 48.5, NOW + 500_000]
    const lines = pieces([step(0), step(1), jump, silence])
    expect(lines).toEqual([
      [
        [7.7, 48.5],
        [7.7001, 48.5],
      ],
    ])
  })

  it('has a hole where private mode was switched', () => {
    const track: Track = {
      type: 'FeatureCollection',
      features: [
        {
          type: 'Feature',
          geometry: {
            type: 'LineString',
            coordinates: [0, 1, 2, 3].map((i) => [step(i)[0], 48.5]),
          },
          properties: {
            vin: 'A',
            times: [0, 1, 2, 3].map((i) => step(i)[2]),
            speeds: [],
            parts: [0, 2],
          },
        },
      ],
    }
    expect(pieces(trackPoints(track)).map((line) => line.length)).toEqual([2, 2])
  })

  it('goes from the recorded way into the live one without repeating it', () => {
    const shown = trailFeatures([step(0), step(1)], [step(1), step(2)], undefined)
    const geometry = shown.features[0]?.geometry
    expect(geometry?.type === 'MultiLineString' && geometry.coordinates[0]?.length).toBe(3)
  })
})
