// One vehicle: what it does now (each value with its age and source), and its recent past.
import { useTranslation } from 'react-i18next'
import { useParams } from 'react-router'
import { useMe, useVehicle, useVehicleState, useWatch } from '../../api/queries'
import type { VehicleState } from '../../api/types'
import { ageMs, fleetState, isOld, type Row, title } from '../../fleet/state'
import { StateMark } from '../../fleet/state-mark'
import { useNow, useRow } from '../../fleet/use-fleet'
import { PageFrame } from '../../shell/page-frame'
import { PressLink } from '../../shell/press'
import { mayChange } from '../../shell/roles'
import { Waiting } from '../../shell/waiting'
import { useFormat } from '../../words/format'
import { ErrorNote, ErrorPage, NotFound } from '../errors/error-page'
import { isVin } from '../vehicle-form/vin'
import { Gauges } from './gauges'
import { HistoryPanel } from './history-panel'
import { SignalTable } from './signal-table'
import { currentValues } from './values'
import classes from './vehicle.module.css'

export default function VehiclePage() {
  const { vin = '' } = useParams()
  return isVin(vin) ? <OneVehicle key={vin} vin={vin} /> : <NotFound />
}

function OneVehicle({ vin }: { vin: string }) {
  const { t } = useTranslation()
  const vehicle = useVehicle(vin)
  const state = useVehicleState(vin)
  useWatch(vin)
  const row = useRow(vin)
  const { data: me } = useMe()
  if (vehicle.isError && !row)
    return <ErrorPage error={vehicle.error} retry={() => void vehicle.refetch()} />
  if (!row) return <Waiting />
  return (
    <PageFrame
      title={title(row)}
      actions={
        <>
          <PressLink icon="map" to={`/map?vehicle=${vin}`}>
            {t('vehicle.onMap')}
          </PressLink>
          {mayChange(me?.role) && (
            <PressLink icon="edit" to={`/vehicles/${vin}/edit`}>
              {t('vehicle.edit')}
            </PressLink>
          )}
        </>
      }
    >
      <Summary row={row} />
      {vehicle.isError && <ErrorNote error={vehicle.error} retry={() => void vehicle.refetch()} />}
      {state.isError && <ErrorNote error={state.error} retry={() => void state.refetch()} />}
      {state.data && <Now vin={vin} state={state.data} at={state.dataUpdatedAt} row={row} />}
      <HistoryPanel vin={vin} available={Object.keys(state.data?.signals ?? {})} />
    </PageFrame>
  )
}

/** The second line: state, since when, and what is known of the vehicle. */
function Summary({ row }: { row: Row }) {
  const { t } = useTranslation()
  const format = useFormat()
  const now = useNow()
  const state = fleetState(row, now)
  const age = ageMs(row, now)
  const facts = [row.plate, row.make, row.class && t(`class.${row.class}`, row.class), row.customer]
  return (
    <div className={classes.summary}>
      <StateMark state={state} />
      <span className={isOld(state) ? 'vigie-old' : undefined} data-testid="last-heard">
        {age === undefined ? t('vehicle.neverHeard') : t('vehicle.heard', { ago: format.ago(age) })}
      </span>
      {facts
        .filter((fact) => fact && fact !== title(row))
        .map((fact) => (
          <span key={fact} className={classes.fact}>
            {fact}
          </span>
        ))}
      <span className={classes.vin}>{row.vin}</span>
    </div>
  )
}

interface NowProps {
  vin: string
  state: VehicleState
  at: number
  row: Row
}

function Now({ state, at, row }: NowProps) {
  const { t } = useTranslation()
  const now = useNow()
  const values = currentValues(state, at, row, now)
  return (
    <>
      <section aria-label={t('vehicle.now')}>
        {values.length === 0 ? (
          <p className={`vigie-panel ${classes.nothing}`}>{t('vehicle.noSignals')}</p>
        ) : (
          <Gauges values={values} />
        )}
      </section>
      {values.length > 0 && <SignalTable values={values} />}
    </>
  )
}
