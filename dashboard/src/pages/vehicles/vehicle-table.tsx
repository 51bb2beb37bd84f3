// The rows, drawn only where they are seen (10,000 are fine). Below 640 px each row is a card.
import { useMediaQuery } from '@mantine/hooks'
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { useLayoutEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { ageMs, isOld, type Row, title } from '../../fleet/state'
import { StateMark } from '../../fleet/state-mark'
import type { Fleet } from '../../fleet/use-fleet'
import { Icon } from '../../shell/icon'
import { useFormat } from '../../words/format'
import type { Filter, Sort } from './filter'
import classes from './vehicles.module.css'

const ROW_PX = 52
const CARD_PX = 68

interface Props {
  rows: Row[]
  fleet: Fleet
  now: number
  filter: Filter
  set: (change: Partial<Filter>) => void
}

export function VehicleTable({ rows, fleet, now, filter, set }: Props) {
  const { t } = useTranslation()
  const narrow = useMediaQuery('(max-width: 40em)', undefined, { getInitialValueInEffect: false })
  const body = useRef<HTMLTableSectionElement>(null)
  const [top, setTop] = useState(0)
  useLayoutEffect(() => {
    setTop((body.current?.getBoundingClientRect().top ?? 0) + window.scrollY)
  }, [])
  const height = narrow ? CARD_PX : ROW_PX
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => height,
    overscan: 8,
    scrollMargin: top,
  })
  const items = virtual.getVirtualItems()
  const before = (items[0]?.start ?? top) - top
  const after = virtual.getTotalSize() - ((items.at(-1)?.end ?? top) - top)
  return (
    <div className="vigie-panel">
      <table
        className={classes.table}
        aria-label={t('vehicles.title')}
        aria-rowcount={rows.length + 1}
      >
        <thead>
          <tr aria-rowindex={1}>
            <Heading sort="name" filter={filter} set={set} />
            <Heading sort="state" filter={filter} set={set} />
            <Heading sort="speed" filter={filter} set={set} right />
            <Heading sort="age" filter={filter} set={set} right />
            <th scope="col" className={classes.customer}>
              {t('column.customer')}
            </th>
          </tr>
        </thead>
        <tbody ref={body}>
          {/* biome-ignore-start lint/a11y/noAriaHiddenOnFocusable: an empty row takes no focus */}
          {before > 0 && <tr aria-hidden="true" style={{ height: before }} />}
          {items.map(({ index }) => {
            const row = rows[index]
            return row && <Line key={row.vin} {...{ row, fleet, now, index }} style={{ height }} />
          })}
          {after > 0 && <tr aria-hidden="true" style={{ height: after }} />}
          {/* biome-ignore-end lint/a11y/noAriaHiddenOnFocusable: as above */}
        </tbody>
      </table>
    </div>
  )
}

interface HeadingProps {
  sort: Sort
  filter: Filter
  set: (change: Partial<Filter>) => void
  right?: boolean
}

function Heading({ sort, filter, set, right }: HeadingProps) {
  const { t } = useTranslation()
  const active = filter.sort === sort
  const order = filter.down ? 'descending' : 'ascending'
  return (
    <th scope="col" aria-sort={active ? order : 'none'} className={right ? classes.right : ''}>
      <button
        type="button"
        className={classes.sort}
        onClick={() => set(active ? { down: !filter.down } : { sort, down: false })}
      >
        {t(`column.${sort}`)}
        {active && <Icon name={filter.down ? 'down' : 'up'} size={14} />}
      </button>
    </th>
  )
}

interface LineProps {
  row: Row
  fleet: Fleet
  now: number
  index: number
  style: React.CSSProperties
}

function Line({ row, fleet, now, index, style }: LineProps) {
  const { t } = useTranslation()
  const format = useFormat()
  const state = fleet.state.get(row.vin) ?? 'never'
  const age = ageMs(row, now)
  const old = isOld(state) ? 'vigie-old' : ''
  return (
    <tr aria-rowindex={index + 2} className={classes.line} data-vin={row.vin} style={style}>
      <td className={classes.name}>
        <Link to={`/vehicles/${row.vin}`}>{title(row)}</Link>
        <small>
          {[row.plate, row.make].filter((x) => x && x !== title(row)).join(' · ') || row.vin}
        </small>
      </td>
      <td className={classes.state}>
        <StateMark state={state} />
      </td>
      <td className={`${classes.right} ${classes.speed} ${old}`}>
        {row.speed === undefined ? t('value.unknown') : format.speed(row.speed)}
      </td>
      <td className={`${classes.right} ${classes.age} ${old}`}>
        {age === undefined ? t('value.never') : format.ago(age)}
      </td>
      <td className={classes.customer}>{row.customer ?? ''}</td>
    </tr>
  )
}
