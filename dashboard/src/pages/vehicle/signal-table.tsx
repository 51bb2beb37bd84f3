// Every signal the vehicle has sent, as a table: value, age, source.
import { useTranslation } from 'react-i18next'
import { isOldValue } from '../../fleet/signals'
import { useSignalWords } from '../../fleet/use-signal'
import { useFormat } from '../../words/format'
import type { Value } from './values'
import classes from './vehicle.module.css'

export function SignalTable({ values }: { values: Value[] }) {
  const { t } = useTranslation()
  const words = useSignalWords()
  const format = useFormat()
  return (
    <details className={`vigie-panel ${classes.all}`}>
      <summary>{t('vehicle.allSignals', { count: values.length })}</summary>
      <table className={classes.signals}>
        <thead>
          <tr>
            <th scope="col">{t('column.signal')}</th>
            <th scope="col" className={classes.right}>
              {t('column.value')}
            </th>
            <th scope="col" className={classes.right}>
              {t('column.age')}
            </th>
            <th scope="col">{t('column.source')}</th>
          </tr>
        </thead>
        <tbody>
          {values.map(({ signal, value, ageMs, source }) => (
            <tr key={signal.path} className={isOldValue(signal, ageMs) ? 'vigie-old' : undefined}>
              <th scope="row">
                {words.name(signal.path)}
                <small>{signal.path}</small>
              </th>
              <td className={classes.right}>{words.text(signal, value)}</td>
              <td className={classes.right}>{format.ago(ageMs)}</td>
              <td>{t(`source.${source}`)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  )
}
