// The map itself, without React: basemap, clustered vehicles, the selected one with its trail. It
// reads the live store once a second and gives the map one update.
import type { FeatureCollection } from 'geojson'
import {
  AttributionControl,
  type GeoJSONSource,
  type LayerSpecification,
  Map as LibreMap,
  type MapLayerMouseEvent,
  NavigationControl,
  ScaleControl,
} from 'maplibre-gl'
import './worker'
import type { FleetStore, Point } from '../fleet/store'
import { serverNow } from '../sites/clock'
import type { Basemap } from './basemap'
import { boundsOf, placed, trailFeatures, vehicleFeature, vehicleFeatures } from './features'
import { drawMarks, MARK_RATIO } from './marks'
import { baseLayers, baseStyle, FONT, type Scheme } from './style'

const UPDATE_MS = 1000
/** Even without news: vehicles grow old on the map. */
const REDRAW_EVERY = 5
const CLUSTER_TO_ZOOM = 14
const ALONE_ZOOM = 11.5
/** Near enough to tell the vehicles apart, far enough to see where in the country they are. */
const FIT_ZOOM = 10
const HOME: { center: [number, number]; zoom: number } = { center: [7.6, 48.45], zoom: 7.5 }
const EMPTY: FeatureCollection = { type: 'FeatureCollection', features: [] }

export interface FleetMapOptions {
  host: HTMLElement
  base: Basemap
  store: FleetStore
  scheme: Scheme
  language: string
  attribution: string
  /** Words of the map's own controls, by MapLibre's keys. */
  words: Record<string, string>
  onSelect(vin: string | undefined): void
  /** A cluster that no zoom can take apart: these vehicles stand in one spot. */
  onStack(vins: string[]): void
  /** The user has moved the map by hand. */
  onUnfollow(): void
}

export class FleetMap {
  private readonly map: LibreMap
  private readonly options: FleetMapOptions
  private readonly timer: ReturnType<typeof setInterval>
  private selected: string | undefined
  private recorded: readonly Point[] = []
  private following = false
  private ready = false
  private fitted = false
  private drawn = -1
  private count = 0
  private scheme: Scheme
  private language: string

  constructor(options: FleetMapOptions) {
    this.options = options
    this.scheme = options.scheme
    this.language = options.language
    this.map = new LibreMap({
      container: options.host,
      style: baseStyle(options.base.sources, options.scheme, options.language),
      ...HOME,
      minZoom: 1,
      maxZoom: 17,
      dragRotate: false,
      pitchWithRotate: false,
      attributionControl: false,
      locale: options.words,
      fadeDuration: 150,
    })
    this.map.touchZoomRotate.disableRotation()
    this.map.addControl(new NavigationControl({ showCompass: false }), 'top-right')
    this.map.addControl(new ScaleControl({ unit: 'metric' }), 'bottom-left')
    this.map.addControl(
      new AttributionControl({ compact: false, customAttribution: options.attribution }),
      'bottom-right',
    )
    this.map.on('load', () => this.begin())
    this.listen()
    this.timer = setInterval(() => this.update(), UPDATE_MS)
  }

  close(): void {
    clearInterval(this.timer)
    this.map.remove()
  }

  select(vin: string | undefined, recorded: readonly Point[] = []): void {
    const moved = vin !== this.selected
    this.selected = vin
    this.recorded = recorded
    this.drawn = -1
    this.update()
    if (moved && vin) this.show(vin)
  }

  follow(on: boolean): void {
    this.following = on
    if (on && this.selected) this.show(this.selected)
  }

  fitAll(): void {
    const box = boundsOf(this.options.store.all())
    if (!box) return
    this.fitted = true
    this.map.fitBounds(box, { padding: this.padding(), maxZoom: FIT_ZOOM, duration: 600 })
  }

  /** Colours and names only: sources, and what is drawn of the fleet, stay. */
  look(scheme: Scheme, language: string): void {
    if (scheme === this.scheme && language === this.language) return
    this.scheme = scheme
    this.language = language
    if (!this.ready) return
    this.addMarks()
    for (const layer of [...baseLayers(scheme, language), ...this.fleetLayers()])
      this.repaint(layer)
  }

  private repaint(layer: LayerSpecification): void {
    const paint = Object.entries(layer.paint ?? {}) as [never, never][]
    for (const [name, value] of paint) this.map.setPaintProperty(layer.id, name, value)
    if (layer.id !== 'places' || !('layout' in layer)) return
    const layout = Object.entries(layer.layout ?? {}) as [never, never][]
    for (const [name, value] of layout) this.map.setLayoutProperty(layer.id, name, value)
  }

  private begin(): void {
    this.addMarks()
    this.map.addSource('fleet', {
      type: 'geojson',
      data: EMPTY,
      cluster: true,
      clusterRadius: 42,
      clusterMaxZoom: CLUSTER_TO_ZOOM,
    })
    this.map.addSource('trail', { type: 'geojson', data: EMPTY })
    this.map.addSource('chosen', { type: 'geojson', data: EMPTY })
    for (const layer of this.fleetLayers()) this.map.addLayer(layer)
    this.ready = true
    this.update()
    if (this.selected) this.show(this.selected, 0)
    this.options.host.dataset.ready = 'true'
  }

  private addMarks(): void {
    for (const [name, data] of drawMarks(getComputedStyle(this.options.host))) {
      if (this.map.hasImage(name)) this.map.updateImage(name, data)
      else this.map.addImage(name, data, { pixelRatio: MARK_RATIO })
    }
  }

  private fleetLayers(): LayerSpecification[] {
    const look = getComputedStyle(this.options.host)
    const color = (name: string) => look.getPropertyValue(name).trim()
    const text = color('--mantine-color-text')
    const panel = color('--vigie-panel')
    const accent = this.scheme === 'dark' ? '#4fa5bc' : '#0b6177'
    const name = {
      'text-field': ['get', 'label'] as never,
      'text-font': FONT,
      'text-size': 12.5,
      'text-offset': [0, 1.5] as [number, number],
      'text-anchor': 'top' as const,
    }
    const mark = {
      'icon-image': ['get', 'mark'] as never,
      'icon-rotate': ['get', 'turn'] as never,
      'icon-rotation-alignment': 'map' as const,
      'icon-allow-overlap': true,
      'icon-ignore-placement': true,
    }
    const words = { 'text-color': text, 'text-halo-color': panel, 'text-halo-width': 1.8 }
    return [
      {
        id: 'trail-edge',
        type: 'line',
        source: 'trail',
        layout: { 'line-join': 'round', 'line-cap': 'round' },
        paint: { 'line-color': panel, 'line-width': 7, 'line-opacity': 0.8 },
      },
      {
        id: 'trail',
        type: 'line',
        source: 'trail',
        layout: { 'line-join': 'round', 'line-cap': 'round' },
        paint: { 'line-color': accent, 'line-width': 3.5 },
      },
      {
        id: 'clusters',
        type: 'circle',
        source: 'fleet',
        filter: ['has', 'point_count'],
        paint: {
          'circle-color': this.scheme === 'dark' ? '#16738e' : '#0b6177',
          'circle-radius': ['step', ['get', 'point_count'], 16, 10, 20, 100, 25, 1000, 31],
          'circle-stroke-color': panel,
          'circle-stroke-width': 3,
        },
      },
      {
        id: 'cluster-count',
        type: 'symbol',
        source: 'fleet',
        filter: ['has', 'point_count'],
        layout: {
          'text-field': ['get', 'point_count_abbreviated'],
          'text-font': FONT,
          'text-size': 13,
          'text-allow-overlap': true,
        },
        paint: { 'text-color': '#ffffff' },
      },
      {
        id: 'vehicles',
        type: 'symbol',
        source: 'fleet',
        filter: ['!', ['has', 'point_count']],
        layout: { ...mark, ...name, 'text-optional': true },
        paint: words,
      },
      {
        id: 'chosen-ring',
        type: 'circle',
        source: 'chosen',
        paint: {
          'circle-radius': 23,
          'circle-color': accent,
          'circle-opacity': 0.16,
          'circle-stroke-color': accent,
          'circle-stroke-width': 2,
        },
      },
      {
        id: 'chosen',
        type: 'symbol',
        source: 'chosen',
        layout: { ...mark, ...name, 'text-offset': [0, 2], 'text-allow-overlap': true },
        paint: words,
      },
    ]
  }

  private listen(): void {
    const { map } = this
    map.on('click', 'vehicles', (event) => this.options.onSelect(vinOf(event)))
    map.on('click', 'clusters', (event) => void this.openCluster(event))
    for (const layer of ['vehicles', 'clusters']) {
      map.on('mouseenter', layer, () => {
        map.getCanvas().style.cursor = 'pointer'
      })
      map.on('mouseleave', layer, () => {
        map.getCanvas().style.cursor = ''
      })
    }
    map.on('dragstart', () => {
      this.fitted = true
      if (this.following) this.options.onUnfollow()
    })
    map.on('zoomstart', (event) => {
      if (event.originalEvent) this.fitted = true
    })
  }

  private async openCluster(event: MapLayerMouseEvent): Promise<void> {
    const found = event.features?.[0]
    const id = found?.properties.cluster_id as number | undefined
    const source = this.source('fleet')
    if (id === undefined || !source || found?.geometry.type !== 'Point') return
    const zoom = await source.getClusterExpansionZoom(id)
    if (zoom <= CLUSTER_TO_ZOOM) {
      this.fitted = true
      this.map.easeTo({ center: found.geometry.coordinates as [number, number], zoom })
      return
    }
    const leaves = await source.getClusterLeaves(id, 200, 0)
    this.options.onStack(leaves.map((leaf) => String(leaf.properties?.vin)))
  }

  private source(id: string): GeoJSONSource | undefined {
    return this.map.getSource<GeoJSONSource>(id)
  }

  private update(): void {
    if (!this.ready) return
    const { store } = this.options
    if (!this.fitted && !this.selected && store.size > 0) this.fitAll()
    const due = this.count++ % REDRAW_EVERY === 0
    if (store.version === this.drawn && !due) return
    this.drawn = store.version
    const now = serverNow()
    void this.source('fleet')?.setData(vehicleFeatures(store.all(), now, this.selected))
    this.drawChosen(now)
  }

  private drawChosen(now: number): void {
    const { store } = this.options
    const row = this.selected ? store.get(this.selected) : undefined
    const shown = row && placed(row)
    void this.source('chosen')?.setData(
      shown ? { type: 'FeatureCollection', features: [vehicleFeature(row, now)] } : EMPTY,
    )
    void this.source('trail')?.setData(
      row ? trailFeatures(this.recorded, store.trail(row.vin), row) : EMPTY,
    )
    if (shown && this.following)
      this.map.easeTo({ center: [row.lon, row.lat], duration: 900, easing: (t) => t })
  }

  private show(vin: string, duration = 700): void {
    const row = this.options.store.get(vin)
    if (!this.ready || !row || !placed(row)) return
    this.fitted = true
    const zoom = Math.max(this.map.getZoom(), ALONE_ZOOM)
    this.map.easeTo({ center: [row.lon, row.lat], zoom, duration })
  }

  private padding(): number {
    const { clientWidth, clientHeight } = this.options.host
    return Math.min(90, clientWidth / 6, clientHeight / 6)
  }
}

function vinOf(event: MapLayerMouseEvent): string | undefined {
  const vin = event.features?.[0]?.properties.vin as unknown
  return typeof vin === 'string' ? vin : undefined
}

/** Whether this browser can draw the map at all. */
export function canDraw(): boolean {
  try {
    return document.createElement('canvas').getContext('webgl2') !== null
  } catch {
    return false
  }
}
