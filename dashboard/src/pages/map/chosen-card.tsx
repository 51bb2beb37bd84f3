// The chosen vehicle, in words: what the map shows of it, for those who do not look at the map too.
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ageMs, fleetState, isOld, type Row, title } from '../../fleet/state'
import { StateMark } from '../../fleet/state-mark'
import { useNow, useRow } from '../../fleet/use-fleet'
import { basemap, type Place } from '../../map/basemap'
import { nearest } from '../../map/nearest'
import { CloseButton, Press, PressLink } from '../../shell/press'
import { useFormat } from '../../words/format'
import classes from './map.module.css'

interface Props {
  vin: string
  following: boolean
  follow: (on: boolean) => void
  close: () => void
}

export function ChosenCard({ vin, following, follow, close }: Props) {
  const { t } = useTranslation()
  const format = useFormat()
  const row = useRow(vin)
  const now = useNow()
  if (!row) return null
  const state = fleetState(row, now)
  const age = ageMs(row, now)
  return (
    <section className={classes.card} aria-label={t('map.chosen')} data-testid="chosen">
      <div className={classes.cardHead}>
        <h2>{title(row)}</h2>
        <CloseButton label={t('map.unchoose')} onClick={close} />
      </div>
      <p className="vigie-dimmed">
        {[row.plate, row.make].filter((x) => x && x !== title(row)).join(' · ') || row.vin}
      </p>
      <p className={classes.cardLine}>
        <StateMark state={state} />
        <span className={isOld(state) ? 'vigie-old' : 'vigie-dimmed'}>
          {age === undefined ? t('value.never') : format.ago(age)}
        </span>
      </p>
      <dl className={classes.facts}>
        <dt>{t('signal.speed')}</dt>
        <dd>{row.speed === undefined ? t('value.unknown') : format.speed(row.speed)}</dd>
        <dt>{t('signal.heading')}</dt>
        <dd>
          {row.heading === undefined
            ? t('value.unknown')
            : t(`compass.${Math.round(row.heading / 45) % 8}`)}
        </dd>
        <dt>{t('map.position')}</dt>
        <dd>
          <Position row={row} now={now} />
        </dd>
      </dl>
      <div className={classes.cardButtons}>
        <Press
          icon="follow"
          aria-pressed={following}
          disabled={row.lat === undefined}
          onClick={() => follow(!following)}
        >
          {t('map.follow')}
        </Press>
        <PressLink to={`/vehicles/${vin}`}>{t('map.open')}</PressLink>
      </div>
    </section>
  )
}

/** Coordinates, the nearest place we know, and how old they are when older than the rest. */
function Position({ row, now }: { row: Row; now: number }) {
  const { t, i18n } = useTranslation()
  const format = useFormat()
  const [places, setPlaces] = useState<Place[]>([])
  useEffect(() => {
    basemap().then(
      (base) => setPlaces(base.places),
      () => {},
    )
  }, [])
  if (row.lat === undefined || row.lon === undefined) return t('map.noPosition')
  const near = nearest(places, row.lon, row.lat, i18n.language)
  const old = row.fixT !== undefined && row.t !== undefined && row.t - row.fixT > 10_000
  return (
    <>
      {near &&
        t('map.near', { km: format.number(near.km, near.km < 10 ? 1 : 0), place: near.name })}
      <small data-testid="position">
        {t('map.coordinates', {
          lat: format.number(row.lat, 5),
          lon: format.number(row.lon, 5),
        })}
      </small>
      {old && row.fixT !== undefined && (
        <small className="vigie-old">
          {t('map.fixAge', { ago: format.ago(Math.max(0, now - row.fixT)) })}
        </small>
      )}
    </>
  )
}
