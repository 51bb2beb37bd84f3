// React's hand on the map: makes it, closes it, and passes on what changes.
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useConfig } from '../../api/queries'
import { fleet, type Point } from '../../fleet/store'
import { type Basemap, basemap } from '../../map/basemap'
import { FleetMap } from '../../map/fleet-map'
import type { Scheme } from '../../map/style'
import { Unreachable } from '../../sites/site'
import { ErrorNote } from '../errors/error-page'
import classes from './map.module.css'

interface Props {
  scheme: Scheme
  language: string
  chosen: string | undefined
  following: boolean
  recorded: readonly Point[]
  recordedAt: number
  onSelect: (vin: string | undefined) => void
  onStack: (vins: string[]) => void
  onUnfollow: () => void
}

export function MapView(props: Props) {
  const { t } = useTranslation()
  const host = useRef<HTMLDivElement>(null)
  const map = useRef<FleetMap>(undefined)
  const latest = useRef(props)
  latest.current = props
  const [base, setBase] = useState<Basemap>()
  const [error, setError] = useState<unknown>()
  const { data: config } = useConfig()
  const attribution = config?.map.attribution

  const load = () => {
    setError(undefined)
    basemap().then(setBase, (reason: unknown) => setError(new Unreachable(reason)))
  }
  useEffect(load, [])

  // biome-ignore lint/correctness/useExhaustiveDependencies: one map for the life of the page
  useEffect(() => {
    if (!host.current || !base || attribution === undefined) return
    const made = new FleetMap({
      host: host.current,
      base,
      store: fleet,
      scheme: props.scheme,
      language: props.language,
      attribution,
      words: controlWords(t),
      onSelect: (vin) => latest.current.onSelect(vin),
      onStack: (vins) => latest.current.onStack(vins),
      onUnfollow: () => latest.current.onUnfollow(),
    })
    map.current = made
    made.select(latest.current.chosen, latest.current.recorded)
    made.follow(latest.current.following)
    return () => {
      map.current = undefined
      made.close()
    }
  }, [base, attribution])

  useEffect(() => map.current?.look(props.scheme, props.language), [props.scheme, props.language])
  // biome-ignore lint/correctness/useExhaustiveDependencies: `recorded` is new when recordedAt is
  useEffect(
    () => map.current?.select(props.chosen, props.recorded),
    [props.chosen, props.recordedAt],
  )
  useEffect(() => map.current?.follow(props.following), [props.following])

  return (
    <>
      <div ref={host} className={classes.canvas} data-testid="map" />
      {error !== undefined && (
        <div className={classes.failed}>
          <ErrorNote error={error} retry={load} />
        </div>
      )}
    </>
  )
}

function controlWords(t: (key: string) => string): Record<string, string> {
  return {
    'Map.Title': t('map.title'),
    'NavigationControl.ZoomIn': t('map.zoomIn'),
    'NavigationControl.ZoomOut': t('map.zoomOut'),
    'AttributionControl.ToggleAttribution': t('map.attribution'),
    'ScaleControl.Meters': 'm',
    'ScaleControl.Kilometers': 'km',
  }
}
