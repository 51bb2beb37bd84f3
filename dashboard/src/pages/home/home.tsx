// Overview: how many vehicles do what, each figure opening its list; and those to look at first.
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { useVehicles } from '../../api/queries'
import { ageMs, FLEET_STATES, type FleetState, type Row, title } from '../../fleet/state'
import { StateMark, StateShape } from '../../fleet/state-mark'
import { type Fleet, useFleet, useNow } from '../../fleet/use-fleet'
import { Icon } from '../../shell/icon'
import { PageFrame } from '../../shell/page-frame'
import { PressLink } from '../../shell/press'
import { Waiting } from '../../shell/waiting'
import { useFormat } from '../../words/format'
import { ErrorNote, ErrorPage } from '../errors/error-page'
import classes from './home.module.css'

export default function Home() {
  const { t } = useTranslation()
  const vehicles = useVehicles()
  const fleet = useFleet()
  if (vehicles.isPending && fleet.rows.length === 0) return <Waiting />
  if (vehicles.isError && fleet.rows.length === 0)
    return <ErrorPage error={vehicles.error} retry={() => void vehicles.refetch()} />
  return (
    <PageFrame title={t('home.title')}>
      {vehicles.isError && (
        <ErrorNote error={vehicles.error} retry={() => void vehicles.refetch()} />
      )}
      {fleet.rows.length === 0 ? <NoVehicles /> : <Figures fleet={fleet} />}
    </PageFrame>
  )
}

export function NoVehicles() {
  const { t } = useTranslation()
  return (
    <div className={`vigie-panel ${classes.empty}`}>
      <Icon name="car" size={36} />
      <p>{t('home.empty')}</p>
      <PressLink primary icon="plus" to="/vehicles/new">
        {t('vehicles.add')}
      </PressLink>
    </div>
  )
}

function Figures({ fleet }: { fleet: Fleet }) {
  const { t } = useTranslation()
  const total = fleet.rows.length
  return (
    <>
      <section aria-label={t('home.byState')}>
        <ul className={classes.figures}>
          {FLEET_STATES.map((state) => (
            <li key={state}>
              <Link to={`/vehicles?state=${state}`} className={`vigie-panel ${classes.figure}`}>
                <StateShape state={state} size={18} />
                <span className={classes.count}>{fleet.counts[state]}</span>
                <span className={classes.word}>{t(`state.${state}`)}</span>
              </Link>
            </li>
          ))}
        </ul>
        <Share fleet={fleet} total={total} />
      </section>
      <div className={classes.lists}>
        <Recent fleet={fleet} />
        <Silent fleet={fleet} />
      </div>
    </>
  )
}

function Share({ fleet, total }: { fleet: Fleet; total: number }) {
  const { t } = useTranslation()
  return (
    <div className={classes.shareBox}>
      <div className={classes.share} aria-hidden="true">
        {FLEET_STATES.filter((s) => fleet.counts[s] > 0).map((s) => (
          <span key={s} style={{ flexGrow: fleet.counts[s], background: `var(--state-${s})` }} />
        ))}
      </div>
      <Link to="/vehicles" className={classes.total}>
        {t('home.total', { count: total })}
      </Link>
    </div>
  )
}

const SHOWN = 8

function Recent({ fleet }: { fleet: Fleet }) {
  const { t } = useTranslation()
  const now = useNow()
  const rows = fleet.rows
    .filter((row) => ['moving', 'idle'].includes(fleet.state.get(row.vin) ?? ''))
    .sort((a, b) => (b.speed ?? 0) - (a.speed ?? 0) || title(a).localeCompare(title(b)))
  return (
    <List
      heading={t('home.onTheRoad')}
      empty={t('home.noneOnTheRoad')}
      rows={rows}
      fleet={fleet}
      now={now}
      more="/vehicles?state=moving,idle&sort=speed"
    />
  )
}

const TO_LOOK_AT: readonly FleetState[] = ['late', 'lost']

function Silent({ fleet }: { fleet: Fleet }) {
  const { t } = useTranslation()
  const now = useNow()
  const rows = fleet.rows
    .filter((row) => TO_LOOK_AT.includes(fleet.state.get(row.vin) ?? 'never'))
    .sort((a, b) => (b.t ?? 0) - (a.t ?? 0))
  return (
    <List
      heading={t('home.silent')}
      empty={t('home.noneSilent')}
      rows={rows}
      fleet={fleet}
      now={now}
      more="/vehicles?state=late,lost&sort=age"
    />
  )
}

interface ListProps {
  heading: string
  empty: string
  rows: Row[]
  fleet: Fleet
  now: number
  more: string
}

function List({ heading, empty, rows, fleet, now, more }: ListProps) {
  const { t } = useTranslation()
  const format = useFormat()
  return (
    <section className={`vigie-panel ${classes.list}`} aria-label={heading}>
      <h2>{heading}</h2>
      {rows.length === 0 && <p className="vigie-dimmed">{empty}</p>}
      <ul>
        {rows.slice(0, SHOWN).map((row) => {
          const state = fleet.state.get(row.vin) ?? 'never'
          const age = ageMs(row, now)
          return (
            <li key={row.vin}>
              <Link to={`/vehicles/${row.vin}`} className={classes.row}>
                <span className={classes.name}>
                  {title(row)}
                  {row.plate && row.plate !== title(row) && <small>{row.plate}</small>}
                </span>
                <StateMark state={state} />
                <span className={classes.speed}>
                  {state === 'moving' && row.speed !== undefined ? format.speed(row.speed) : ''}
                </span>
                <span className={classes.age}>{age === undefined ? '' : format.ago(age)}</span>
              </Link>
            </li>
          )
        })}
      </ul>
      {rows.length > SHOWN && <Link to={more}>{t('home.more', { count: rows.length })}</Link>}
    </section>
  )
}
