// A signal's name and value in the reader's language.
import { useTranslation } from 'react-i18next'
import { useFormat } from '../words/format'
import { type Signal, signalOf } from './signals'

export function useSignalWords() {
  const { t } = useTranslation()
  const format = useFormat()
  const unit = (signal: Signal) =>
    signal.unit === 'none' || signal.unit === 'flag' ? '' : t(`unit.${signal.unit}`)
  const number = (signal: Signal, value: number) =>
    signal.unit === 'flag'
      ? t(value ? 'value.yes' : 'value.no')
      : format.number(value, signal.digits)
  return {
    name: (path: string) => {
      const signal = signalOf(path)
      return signal.word ? t(`signal.${signal.word}`) : path.replace(/^Vehicle\./, '')
    },
    unit,
    number,
    text: (signal: Signal, value: number) =>
      unit(signal)
        ? t('unit.join', { value: number(signal, value), unit: unit(signal) })
        : number(signal, value),
  }
}
