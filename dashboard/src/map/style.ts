// The look of the basemap in both schemes: a pure function from scheme and language to a style.
import type { FeatureCollection } from 'geojson'
import type { LayerSpecification, StyleSpecification } from 'maplibre-gl'

export type Scheme = 'light' | 'dark'

interface Palette {
  water: string
  land: string
  urban: string
  border: string
  departement: string
  commune: string
  river: string
  label: string
  halo: string
}

const PALETTES: Record<Scheme, Palette> = {
  light: {
    water: '#c9dce6',
    land: '#f5f3ee',
    urban: '#e6e0d5',
    border: '#97908a',
    departement: '#bdb5aa',
    commune: '#d5cdbf',
    river: '#a3c4d6',
    label: '#454d52',
    halo: '#fbfaf7',
  },
  dark: {
    water: '#0d171d',
    land: '#1d262c',
    urban: '#2b363d',
    border: '#5c6a74',
    departement: '#424f58',
    commune: '#36434c',
    river: '#24485a',
    label: '#b4c0c9',
    halo: '#151d22',
  },
}

const EUROPE_ZOOM = 3
const NEAR_ZOOM = 6

/** How large a place must be to have its name drawn, by zoom. */
const NAMED_FROM = [
  'step',
  ['zoom'],
  4e6,
  3,
  1.5e6,
  4.5,
  6e5,
  5.5,
  2e5,
  7,
  5e4,
  8,
  1e4,
  9,
  3e3,
  10,
  0,
]

export const FONT = ['sans-serif']

export function baseLayers(scheme: Scheme, language: string): LayerSpecification[] {
  const p = PALETTES[scheme]
  const fill = (id: string, color: string, minzoom = 0, source = id): LayerSpecification => ({
    id,
    type: 'fill',
    source,
    minzoom,
    paint: { 'fill-color': color, 'fill-antialias': false },
  })
  const line = (
    id: string,
    color: string,
    width: unknown,
    minzoom = 0,
    opacity: unknown = 1,
    maxzoom = 24,
  ): LayerSpecification => ({
    id,
    type: 'line',
    source: id,
    minzoom,
    maxzoom,
    layout: { 'line-join': 'round', 'line-cap': 'round' },
    paint: {
      'line-color': color,
      'line-width': width as number,
      'line-opacity': opacity as number,
    },
  })
  const grow = (...stops: number[]) => ['interpolate', ['linear'], ['zoom'], ...stops]
  return [
    { id: 'water', type: 'background', paint: { 'background-color': p.water } },
    fill('world', p.land),
    fill('europe-box', p.water, EUROPE_ZOOM),
    fill('europe', p.land, EUROPE_ZOOM),
    fill('near-box', p.water, NEAR_ZOOM),
    fill('near', p.land, NEAR_ZOOM),
    {
      ...fill('urban', p.urban, 5),
      paint: {
        'fill-color': p.urban,
        // Coarse outlines: fine from afar, wrong beside a street.
        'fill-opacity': grow(5, 0.9, 9, 0.7, 11, 0.3, 12.5, 0) as never,
      },
    } as LayerSpecification,
    line('main-rivers', p.river, grow(3, 0.6, 7, 1.6, 11, 4), 3),
    line('rivers', p.river, grow(6, 0.4, 11, 2), 6, grow(6, 0.4, 8, 1, 11, 1, 12.5, 0)),
    line('communes', p.commune, grow(8, 0.6, 12, 1.6), 8.5, grow(8.5, 0, 9.5, 1)),
    line('departements', p.departement, grow(5, 0.4, 9, 1.2), 5.5),
    line('world-borders', p.border, 0.8, 0, 0.7, EUROPE_ZOOM),
    line('europe-borders', p.border, grow(3, 0.7, 6, 1.2), EUROPE_ZOOM, 0.8, NEAR_ZOOM),
    line('near-borders', p.border, grow(6, 1.1, 11, 2), NEAR_ZOOM, 0.9),
    {
      id: 'places',
      type: 'symbol',
      source: 'places',
      filter: ['>=', ['get', 'population'], NAMED_FROM] as never,
      layout: {
        'text-field': ['get', language === 'en' ? 'en' : 'fr'],
        'text-font': FONT,
        'text-size': [
          'interpolate',
          ['linear'],
          ['zoom'],
          4,
          11,
          10,
          ['interpolate', ['linear'], ['get', 'population'], 1000, 11, 300000, 17],
        ],
        'symbol-sort-key': ['-', 0, ['get', 'population']],
        'text-padding': 6,
        'text-max-width': 8,
      },
      paint: { 'text-color': p.label, 'text-halo-color': p.halo, 'text-halo-width': 1.4 },
    },
  ]
}

export function baseStyle(
  sources: Record<string, FeatureCollection>,
  scheme: Scheme,
  language: string,
): StyleSpecification {
  return {
    version: 8,
    sources: Object.fromEntries(
      Object.entries(sources).map(([id, data]) => [id, { type: 'geojson', data, tolerance: 0.2 }]),
    ),
    layers: baseLayers(scheme, language),
  }
}
