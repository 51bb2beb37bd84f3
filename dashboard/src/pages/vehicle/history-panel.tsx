// The recent past of a few signals: a chart with a table as its twin. Span and signals stand in the
// address, so a link shows the same.
import { SegmentedControl } from '@mantine/core'
import { lazy, Suspense, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { useSearchParams } from 'react-router'
import { useHistory } from '../../api/queries'
import type { History } from '../../api/types'
import { inOrder, RPM, SPEED, signalOf } from '../../fleet/signals'
import { useSignalWords } from '../../fleet/use-signal'
import { useFormat } from '../../words/format'
import { ErrorNote } from '../errors/error-page'
import '@mantine/core/styles/FloatingIndicator.css'
import '@mantine/core/styles/SegmentedControl.css'
import { LINES } from './lines'
import { columns, extent, tableRows } from './series'
import classes from './vehicle.module.css'

const Chart = lazy(() => import('./chart'))

const MINUTE = 60_000
const SPANS = [
  { key: '15m', ms: 15 * MINUTE, refreshMs: 3_000 },
  { key: '1h', ms: 60 * MINUTE, refreshMs: 10_000 },
  { key: '6h', ms: 360 * MINUTE, refreshMs: 60_000 },
  { key: '24h', ms: 1440 * MINUTE, refreshMs: 60_000 },
] as const

const MOST = LINES.length
const TABLE_ROWS = 60

function chosen(asked: string | null): string[] {
  if (asked === null) return [SPEED, RPM]
  return asked.split(',').filter(Boolean).slice(0, MOST)
}

export function HistoryPanel({ vin, available }: { vin: string; available: string[] }) {
  const { t } = useTranslation()
  const [params, setParams] = useSearchParams()
  const span = SPANS.find((s) => s.key === params.get('span')) ?? SPANS[0]
  const asked = params.get('signals')
  const paths = useMemo(() => chosen(asked), [asked])
  const asTable = params.get('view') === 'table'
  const history = useHistory(vin, paths, span.ms, span.refreshMs)

  const set = (key: string, value: string, standard: string) =>
    setParams(
      (old) => {
        if (value === standard) old.delete(key)
        else old.set(key, value)
        return old
      },
      { replace: true },
    )
  const toggle = (path: string) => {
    const next = paths.includes(path) ? paths.filter((p) => p !== path) : [...paths, path]
    set('signals', next.slice(-MOST).join(','), [SPEED, RPM].join(','))
  }

  return (
    <section className={`vigie-panel ${classes.history}`} aria-label={t('history.title')}>
      <div className={classes.historyHead}>
        <h2>{t('history.title')}</h2>
        <SegmentedControl
          size="sm"
          aria-label={t('history.span')}
          value={span.key}
          onChange={(value) => set('span', value, '15m')}
          data={SPANS.map((s) => ({ value: s.key, label: t(`history.${s.key}`) }))}
        />
        <SegmentedControl
          size="sm"
          aria-label={t('history.view')}
          value={asTable ? 'table' : 'chart'}
          onChange={(value) => set('view', value, 'chart')}
          data={[
            { value: 'chart', label: t('history.chart') },
            { value: 'table', label: t('history.table') },
          ]}
        />
      </div>
      <Choice available={available} paths={paths} toggle={toggle} />
      {history.isError && <ErrorNote error={history.error} retry={() => void history.refetch()} />}
      <Past history={history.data} paths={paths} asTable={asTable} spanMs={span.ms} />
    </section>
  )
}

interface ChoiceProps {
  available: string[]
  paths: string[]
  toggle: (path: string) => void
}

function Choice({ available, paths, toggle }: ChoiceProps) {
  const { t } = useTranslation()
  const words = useSignalWords()
  const offered = inOrder([...new Set([...available, ...paths])]).filter((p) => !signalOf(p).plain)
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be a flex box everywhere
    <div role="group" aria-label={t('history.signals')} className={classes.choice}>
      {offered.map((path) => {
        const line = LINES[paths.indexOf(path)]
        return (
          <button
            key={path}
            type="button"
            aria-pressed={line !== undefined}
            className={classes.chip}
            onClick={() => toggle(path)}
          >
            {line && (
              <svg width="18" height="8" aria-hidden="true" focusable="false">
                <path
                  d="M0 4h18"
                  stroke={`var(${line.color})`}
                  strokeWidth="3"
                  strokeDasharray={line.dash.join(' ') || undefined}
                />
              </svg>
            )}
            {words.name(path)}
          </button>
        )
      })}
    </div>
  )
}

interface PastProps {
  history: History | undefined
  paths: string[]
  asTable: boolean
  spanMs: number
}

function Past({ history, paths, asTable, spanMs }: PastProps) {
  const { t } = useTranslation()
  const data = useMemo(() => history && columns(history, paths), [history, paths])
  if (paths.length === 0) return <p className={classes.nothing}>{t('history.choose')}</p>
  if (!history || !data) return <div className={classes.chart} aria-busy="true" />
  if (data.t.length === 0) return <p className={classes.nothing}>{t('history.empty')}</p>
  if (asTable) return <Table data={data} paths={paths} />
  return (
    <figure className={classes.figure}>
      <Suspense fallback={<div className={classes.chart} />}>
        <Chart data={data} paths={paths} spanMs={spanMs} />
      </Suspense>
      <figcaption>
        <Caption history={history} paths={paths} />
      </figcaption>
    </figure>
  )
}

/** What the picture says, in words. */
function Caption({ history, paths }: { history: History; paths: string[] }) {
  const { t } = useTranslation()
  const words = useSignalWords()
  return (
    <ul className={classes.caption}>
      {paths.map((path) => {
        const found = extent(history.signals[path])
        const signal = signalOf(path)
        return (
          <li key={path}>
            {found
              ? t('history.extent', {
                  name: words.name(path),
                  min: words.text(signal, found.min),
                  max: words.text(signal, found.max),
                  last: words.text(signal, found.last),
                })
              : t('history.none', { name: words.name(path) })}
          </li>
        )
      })}
    </ul>
  )
}

function Table({ data, paths }: { data: ReturnType<typeof columns>; paths: string[] }) {
  const { t } = useTranslation()
  const words = useSignalWords()
  const format = useFormat()
  return (
    <table className={classes.signals}>
      <thead>
        <tr>
          <th scope="col">{t('column.time')}</th>
          {paths.map((path) => (
            <th key={path} scope="col" className={classes.right}>
              {words.name(path)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {tableRows(data, TABLE_ROWS).map((row) => (
          <tr key={row.t}>
            <th scope="row">{format.seconds(row.t)}</th>
            {paths.map((path, i) => {
              const v = row.v[i]
              return (
                <td key={path} className={classes.right}>
                  {v === undefined ? '' : words.text(signalOf(path), v)}
                </td>
              )
            })}
          </tr>
        ))}
      </tbody>
    </table>
  )
}
