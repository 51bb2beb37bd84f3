// The map's twin: the same vehicles as a list, usable without seeing the map.
import { useVirtualizer } from '@tanstack/react-virtual'
import { useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ageMs, isOld, type Row, title } from '../../fleet/state'
import { StateMark } from '../../fleet/state-mark'
import { type Fleet, useFleet, useNow } from '../../fleet/use-fleet'
import { SearchField } from '../../shell/press'
import { useFormat } from '../../words/format'
import { applyFilter } from '../vehicles/filter'
import classes from './map.module.css'

const ROW_PX = 58

interface Props {
  chosen: string | undefined
  choose: (vin: string | undefined) => void
}

export function FleetList({ chosen, choose }: Props) {
  const { t } = useTranslation()
  const fleet = useFleet()
  const now = useNow()
  const [q, setQ] = useState('')
  const rows = applyFilter(
    fleet,
    { q, states: [], connectivity: '', sort: 'name', down: false },
    now,
  )
  const box = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: 6,
  })
  return (
    <>
      <div className={classes.find}>
        <SearchField
          label={t('vehicles.textFilter')}
          hint={t('vehicles.textHint')}
          clear={t('vehicles.clearText')}
          value={q}
          onChange={setQ}
        />
      </div>
      {rows.length === 0 && (
        <p className={classes.none}>{t(fleet.rows.length ? 'vehicles.noMatch' : 'home.empty')}</p>
      )}
      <div ref={box} className={classes.scroll}>
        <ul style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {virtual.getVirtualItems().map((item) => {
            const row = rows[item.index]
            return (
              row && (
                <li key={row.vin} style={{ transform: `translateY(${item.start}px)` }}>
                  <Entry
                    row={row}
                    fleet={fleet}
                    now={now}
                    chosen={row.vin === chosen}
                    choose={choose}
                  />
                </li>
              )
            )
          })}
        </ul>
      </div>
    </>
  )
}

interface EntryProps {
  row: Row
  fleet: Fleet
  now: number
  chosen: boolean
  choose: (vin: string | undefined) => void
}

function Entry({ row, fleet, now, chosen, choose }: EntryProps) {
  const { t } = useTranslation()
  const format = useFormat()
  const state = fleet.state.get(row.vin) ?? 'never'
  const age = ageMs(row, now)
  return (
    <button
      type="button"
      aria-pressed={chosen}
      className={classes.entry}
      onClick={() => choose(chosen ? undefined : row.vin)}
    >
      <span className={classes.entryName}>{title(row)}</span>
      <span className={classes.entrySpeed}>
        {state === 'moving' && row.speed !== undefined && format.speed(row.speed)}
        {row.lat === undefined && t('map.noPosition')}
      </span>
      <StateMark state={state} />
      <span className={`${classes.entryAge} ${isOld(state) ? 'vigie-old' : ''}`}>
        {age === undefined ? t('value.never') : format.ago(age)}
      </span>
    </button>
  )
}
