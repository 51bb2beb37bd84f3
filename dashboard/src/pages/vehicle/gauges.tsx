// Gauges: our own SVG arcs. The number is the information, the arc its place in the range.
import { useTranslation } from 'react-i18next'
import { isOldValue } from '../../fleet/signals'
import { useSignalWords } from '../../fleet/use-signal'
import { useFormat } from '../../words/format'
import classes from './gauges.module.css'
import type { Value } from './values'

const RADIUS = 42
const SWEEP = 240
const START = 150

function point(degrees: number): string {
  const a = (degrees * Math.PI) / 180
  return `${(50 + RADIUS * Math.cos(a)).toFixed(2)} ${(50 + RADIUS * Math.sin(a)).toFixed(2)}`
}

/** Path of the arc from the start to `share` (0 … 1) of the sweep. */
export function arc(share: number): string {
  const end = START + SWEEP * Math.min(1, Math.max(0, share))
  const large = end - START > 180 ? 1 : 0
  return `M${point(START)}A${RADIUS} ${RADIUS} 0 ${large} 1 ${point(end)}`
}

export function Gauges({ values }: { values: Value[] }) {
  const shown = values.filter((v) => v.signal.gauge)
  if (shown.length === 0) return null
  return (
    <ul className={classes.gauges}>
      {shown.map((value) => (
        <Gauge key={value.signal.path} value={value} />
      ))}
    </ul>
  )
}

function Gauge({ value }: { value: Value }) {
  const { t } = useTranslation()
  const words = useSignalWords()
  const format = useFormat()
  const { signal } = value
  const old = isOldValue(signal, value.ageMs)
  const high = signal.high !== undefined && value.value >= signal.high
  const share = (value.value - signal.min) / (signal.max - signal.min)
  return (
    <li
      className={`vigie-panel ${classes.gauge}`}
      data-old={old || undefined}
      data-high={high || undefined}
      data-signal={signal.path}
    >
      <svg viewBox="0 0 100 78" aria-hidden="true" focusable="false" className={classes.dial}>
        <path d={arc(1)} className={classes.track} />
        {share > 0.004 && <path d={arc(share)} className={classes.value} />}
      </svg>
      <span className={classes.number}>
        <b>{words.number(signal, value.value)}</b>
        <span>{words.unit(signal)}</span>
      </span>
      <span className={classes.name}>{words.name(signal.path)}</span>
      <span className={classes.age}>
        {old && <span className={classes.flag}>{t('value.old')} </span>}
        {t('vehicle.ageSource', {
          ago: format.ago(value.ageMs),
          source: t(`source.${value.source}`),
        })}
      </span>
    </li>
  )
}
