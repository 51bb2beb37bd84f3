// The built-in basemap: layers shipped with the app, read once, drawn under any other map.
import type { Feature, FeatureCollection } from 'geojson'
import { feature, mesh } from 'topojson-client'
import type { GeometryObject, Topology } from 'topojson-specification'
import communesAt from '../../basemap/alsace-communes.topojson?url'
import nearAt from '../../basemap/countries-10m.topojson?url'
import europeAt from '../../basemap/countries-50m.topojson?url'
import worldAt from '../../basemap/countries-110m.topojson?url'
import departementsAt from '../../basemap/departement-lines.topojson?url'
import placesAt from '../../basemap/places.json?url'
import riversAt from '../../basemap/rivers.topojson?url'
import mainRiversAt from '../../basemap/rivers-main.topojson?url'
import urbanAt from '../../basemap/urban.topojson?url'

/** [lon, lat, population, name, French name or 0, English name or 0] */
export type Place = [number, number, number, string, string | 0, string | 0]

export interface Basemap {
  sources: Record<string, FeatureCollection>
  places: Place[]
}

/** Where the finer layers are cut: beneath them the coarser ones are painted over with water. */
export const EUROPE_BOX = [-25, 33, 45, 72] as const
export const NEAR_BOX = [2, 45, 15, 55.5] as const

async function read<T>(address: string): Promise<T> {
  const answer = await fetch(address)
  if (!answer.ok) throw new Error(`basemap: status ${answer.status}`)
  return (await answer.json()) as T
}

function shapes(topology: Topology): FeatureCollection {
  const object = Object.values(topology.objects)[0] as GeometryObject
  const found = feature(topology, object) as Feature | FeatureCollection
  return found.type === 'FeatureCollection' ? found : collection([found])
}

/** Lines between two countries, without coasts and without the edge of the cut. */
function borders(topology: Topology): FeatureCollection {
  const object = Object.values(topology.objects)[0] as GeometryObject
  const geometry = mesh(topology, object as never, (a, b) => a !== b)
  return collection([{ type: 'Feature', properties: {}, geometry }])
}

function collection(features: Feature[]): FeatureCollection {
  return { type: 'FeatureCollection', features }
}

function box([w, s, e, n]: readonly [number, number, number, number]): FeatureCollection {
  const ring = [
    [w, s],
    [e, s],
    [e, n],
    [w, n],
    [w, s],
  ]
  const geometry = { type: 'Polygon' as const, coordinates: [ring] }
  return collection([{ type: 'Feature', properties: {}, geometry }])
}

function points(places: Place[]): FeatureCollection {
  return collection(
    places.map(([lon, lat, population, name, fr, en]) => ({
      type: 'Feature',
      properties: { population, fr: fr || name, en: en || name },
      geometry: { type: 'Point', coordinates: [lon, lat] },
    })),
  )
}

async function load(): Promise<Basemap> {
  const layers = [
    worldAt,
    europeAt,
    nearAt,
    communesAt,
    departementsAt,
    riversAt,
    mainRiversAt,
    urbanAt,
  ]
  const [topologies, places] = await Promise.all([
    Promise.all(layers.map((address) => read<Topology>(address))),
    read<Place[]>(placesAt),
  ])
  const [world, europe, near, communes, departements, rivers, mainRivers, urban] = topologies as [
    Topology,
    Topology,
    Topology,
    Topology,
    Topology,
    Topology,
    Topology,
    Topology,
  ]
  return {
    places,
    sources: {
      world: shapes(world),
      'world-borders': borders(world),
      'europe-box': box(EUROPE_BOX),
      europe: shapes(europe),
      'europe-borders': borders(europe),
      'near-box': box(NEAR_BOX),
      near: shapes(near),
      'near-borders': borders(near),
      communes: borders(communes),
      departements: shapes(departements),
      rivers: shapes(rivers),
      'main-rivers': shapes(mainRivers),
      urban: shapes(urban),
      places: points(places),
    },
  }
}

let loading: Promise<Basemap> | undefined

/** Read once a page; a failed read may be tried again. */
export function basemap(): Promise<Basemap> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined
    throw error
  })
  return loading
}
