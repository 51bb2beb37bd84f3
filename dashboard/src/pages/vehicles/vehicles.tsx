// The list of vehicles: filters in the address, state and age in words, live.
import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import { useMe, useVehicles } from '../../api/queries'
import { FLEET_STATES, type FleetState } from '../../fleet/state'
import { useFleet, useNow } from '../../fleet/use-fleet'
import { PageFrame } from '../../shell/page-frame'
import { Press, PressLink, SearchField } from '../../shell/press'
import { mayChange } from '../../shell/roles'
import { Waiting } from '../../shell/waiting'
import { ErrorNote, ErrorPage } from '../errors/error-page'
import { applyFilter, type Filter, readFilter, writeFilter } from './filter'
import { VehicleTable } from './vehicle-table'
import classes from './vehicles.module.css'

const TYPING_MS = 250
/** The choice shown when the address asks for what the list does not offer: two states, say. */
const SPECIAL = 'special'

export default function Vehicles() {
  const { t } = useTranslation()
  const list = useVehicles()
  const { data: me } = useMe()
  const fleet = useFleet()
  const now = useNow()
  const [params, setParams] = useSearchParams()
  const filter = readFilter(params)
  const set = (change: Partial<Filter>) =>
    setParams(writeFilter({ ...filter, ...change }), { replace: true })

  if (list.isPending && fleet.rows.length === 0) return <Waiting />
  if (list.isError && fleet.rows.length === 0)
    return <ErrorPage error={list.error} retry={() => void list.refetch()} />

  const rows = applyFilter(fleet, filter, now)
  return (
    <PageFrame
      title={t('vehicles.title')}
      actions={
        mayChange(me?.role) && (
          <PressLink primary icon="plus" to="/vehicles/new">
            {t('vehicles.add')}
          </PressLink>
        )
      }
    >
      {list.isError && <ErrorNote error={list.error} retry={() => void list.refetch()} />}
      <Filters filter={filter} set={set} counts={fleet.counts} />
      <p className={classes.count} role="status">
        {rows.length === fleet.rows.length
          ? t('vehicles.count', { count: rows.length })
          : t('vehicles.countOf', { count: rows.length, total: fleet.rows.length })}
      </p>
      {rows.length > 0 && (
        <VehicleTable rows={rows} fleet={fleet} now={now} filter={filter} set={set} />
      )}
      {rows.length === 0 && (
        <div className={`vigie-panel ${classes.empty}`}>
          <p>{t(fleet.rows.length ? 'vehicles.noMatch' : 'home.empty')}</p>
          {fleet.rows.length > 0 && (
            <Press onClick={() => setParams({}, { replace: true })}>{t('vehicles.clear')}</Press>
          )}
        </div>
      )}
    </PageFrame>
  )
}

interface FilterProps {
  filter: Filter
  set: (change: Partial<Filter>) => void
  counts: Record<FleetState, number>
}

function Filters({ filter, set, counts }: FilterProps) {
  const { t } = useTranslation()
  const special = filter.connectivity
    ? t(`connectivity.${filter.connectivity}`)
    : filter.states.length > 1 && filter.states.map((state) => t(`state.${state}`)).join(', ')
  return (
    <div className={classes.filters}>
      <TextFilter filter={filter} set={set} />
      <select
        className={classes.select}
        aria-label={t('vehicles.stateFilter')}
        value={special ? SPECIAL : (filter.states[0] ?? '')}
        onChange={(event) => {
          const value = event.currentTarget.value
          if (value !== SPECIAL)
            set({ states: value ? [value as FleetState] : [], connectivity: '' })
        }}
      >
        <option value="">{t('vehicles.anyState')}</option>
        {special && <option value={SPECIAL}>{special}</option>}
        {FLEET_STATES.map((state) => (
          <option key={state} value={state}>
            {t('vehicles.stateOption', { state: t(`state.${state}`), number: counts[state] })}
          </option>
        ))}
      </select>
    </div>
  )
}

/** Typed text goes to the address after a pause; the address may change under it (back, a link). */
function TextFilter({ filter, set }: Pick<FilterProps, 'filter' | 'set'>) {
  const { t } = useTranslation()
  const [text, setText] = useState(filter.q)
  const field = useRef<HTMLInputElement>(null)
  const latest = useRef(set)
  latest.current = set
  useEffect(() => {
    if (document.activeElement !== field.current) setText(filter.q)
  }, [filter.q])
  useEffect(() => {
    if (text === filter.q) return
    const timer = setTimeout(() => latest.current({ q: text }), TYPING_MS)
    return () => clearTimeout(timer)
  }, [text, filter.q])
  return (
    <div className={classes.text}>
      <SearchField
        ref={field}
        label={t('vehicles.textFilter')}
        hint={t('vehicles.textHint')}
        clear={t('vehicles.clearText')}
        value={text}
        onChange={setText}
      />
    </div>
  )
}
