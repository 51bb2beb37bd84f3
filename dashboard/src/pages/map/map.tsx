// The map page: the fleet on the built-in basemap, the same fleet as a list beside it (or in a sheet
// on a phone), and the chosen vehicle. What is chosen stands in the address.
import { useComputedColorScheme } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import { useTrack, useVehicles } from '../../api/queries'
import { trackPoints } from '../../map/features'
import { canDraw } from '../../map/fleet-map'
import { Icon } from '../../shell/icon'
import { PageTitle } from '../../shell/page-frame'
import { ErrorPage } from '../errors/error-page'
import 'maplibre-gl/dist/maplibre-gl.css'
import { fleet } from '../../fleet/store'
import { ChosenCard } from './chosen-card'
import { FleetList } from './fleet-list'
import classes from './map.module.css'
import { MapView } from './map-view'
import { Stack } from './stack'

const TRAIL_MS = 15 * 60_000
const HEIGHTS = ['low', 'half', 'full'] as const
type Height = (typeof HEIGHTS)[number]

export default function MapPage() {
  const { t, i18n } = useTranslation()
  const list = useVehicles()
  const [params, setParams] = useSearchParams()
  const scheme = useComputedColorScheme('light')
  const phone = useMediaQuery('(max-width: 48em)', undefined, { getInitialValueInEffect: false })
  const [height, setHeight] = useState<Height>('half')
  const [stack, setStack] = useState<string[]>([])
  const [drawn] = useState(canDraw)
  const chosen = params.get('vehicle') ?? undefined
  const following = params.get('follow') === '1'
  const track = useTrack(chosen, TRAIL_MS)

  const choose = (vin: string | undefined) => {
    setStack([])
    setParams(vin ? { vehicle: vin } : {}, { replace: true })
  }
  const follow = (on: boolean) =>
    setParams(chosen ? { vehicle: chosen, ...(on ? { follow: '1' } : {}) } : {}, { replace: true })

  if (list.isError && fleet.size === 0)
    return <ErrorPage error={list.error} retry={() => void list.refetch()} />

  return (
    <div className={classes.page} data-height={phone ? height : undefined}>
      <PageTitle title={t('map.title')} hidden>
        {t('map.title')}
      </PageTitle>
      <section className={classes.map} aria-label={t('map.region')}>
        {drawn ? (
          <>
            <a href="#fleet-list" className={classes.skip}>
              {t('map.skip')}
            </a>
            <MapView
              scheme={scheme}
              language={i18n.language}
              chosen={chosen}
              following={following}
              recorded={trackPoints(track.data)}
              recordedAt={track.dataUpdatedAt}
              onSelect={choose}
              onStack={setStack}
              onUnfollow={() => follow(false)}
            />
          </>
        ) : (
          <p className={classes.noWebgl}>
            <Icon name="warn" />
            {t('map.noWebgl')}
          </p>
        )}
        {stack.length > 0 && <Stack vins={stack} choose={choose} close={() => setStack([])} />}
      </section>
      <section className={classes.side} aria-label={t('map.list')} id="fleet-list" tabIndex={-1}>
        {phone && <SheetButtons height={height} setHeight={setHeight} />}
        {chosen && (
          <ChosenCard
            vin={chosen}
            following={following}
            follow={follow}
            close={() => choose(undefined)}
          />
        )}
        <FleetList chosen={chosen} choose={choose} />
      </section>
    </div>
  )
}

interface SheetProps {
  height: Height
  setHeight: (height: Height) => void
}

/** The sheet has three heights, reached by buttons: no drag is needed. */
function SheetButtons({ height, setHeight }: SheetProps) {
  const { t } = useTranslation()
  const at = HEIGHTS.indexOf(height)
  const step = (by: number) => setHeight(HEIGHTS[at + by] ?? height)
  return (
    <div className={classes.sheet}>
      <button
        type="button"
        disabled={at === 2}
        onClick={() => step(1)}
        aria-label={t('map.taller')}
      >
        <Icon name="up" />
      </button>
      <button
        type="button"
        disabled={at === 0}
        onClick={() => step(-1)}
        aria-label={t('map.smaller')}
      >
        <Icon name="down" />
      </button>
    </div>
  )
}
