// The chart, drawn by uPlot. Each unit has its own scale; the first two have an axis.
import { useComputedColorScheme } from '@mantine/core'
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { signalOf } from '../../fleet/signals'
import { useSignalWords } from '../../fleet/use-signal'
import { serverNow } from '../../sites/clock'
import { useFormat } from '../../words/format'
import { LINES } from './lines'
import type { Columns } from './series'
import classes from './vehicle.module.css'

const HEIGHT = 280

interface Props {
  data: Columns
  paths: string[]
  spanMs: number
}

function aligned(data: Columns): uPlot.AlignedData {
  return [data.t, ...data.signals.flatMap((s) => [s.v, s.min, s.max])] as uPlot.AlignedData
}

/** The colours of the lines are written #rrggbb: a fifth of it for the band of the extremes. */
const BAND = '30'

export default function Chart({ data, paths, spanMs }: Props) {
  const box = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const span = useRef(spanMs)
  span.current = spanMs
  const latest = useRef(data)
  latest.current = data
  const scheme = useComputedColorScheme('light')
  const { i18n } = useTranslation()
  const words = useSignalWords()
  const format = useFormat()
  const names = useRef({ words, format })
  names.current = { words, format }

  // biome-ignore lint/correctness/useExhaustiveDependencies: a new plot for new lines, colours, words
  useEffect(() => {
    const host = box.current
    if (!host) return
    const options = optionsFor(host, paths, names.current, () => {
      const now = serverNow()
      return [now - span.current, now]
    })
    plot.current = new uPlot(options, aligned(latest.current), host)
    const watch = new ResizeObserver(() => {
      plot.current?.setSize({ width: host.clientWidth, height: HEIGHT })
    })
    watch.observe(host)
    return () => {
      watch.disconnect()
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [paths.join(), scheme, i18n.language])

  useEffect(() => {
    if (plot.current?.series.length === data.signals.length * 3 + 1)
      plot.current.setData(aligned(data))
  }, [data])

  return <div ref={box} className={classes.chart} aria-hidden="true" />
}

interface Names {
  words: ReturnType<typeof useSignalWords>
  format: ReturnType<typeof useFormat>
}

function optionsFor(
  host: HTMLElement,
  paths: string[],
  { words, format }: Names,
  range: () => [number, number],
): uPlot.Options {
  const style = getComputedStyle(host)
  const ink = style.getPropertyValue('--mantine-color-dimmed').trim()
  const grid = style.getPropertyValue('--vigie-line').trim()
  const font = `12px ${style.fontFamily}`
  const units = [...new Set(paths.map((path) => signalOf(path).unit))]
  const frame = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid } }
  const series: uPlot.Series[] = [{ value: (_, t) => (t == null ? '' : format.seconds(t)) }]
  const bands: uPlot.Band[] = []
  paths.forEach((path, i) => {
    const signal = signalOf(path)
    const line = LINES[i % LINES.length] as (typeof LINES)[number]
    const stroke = style.getPropertyValue(line.color).trim()
    const scale = signal.unit
    const at = series.length
    series.push({
      label: words.name(path),
      scale,
      stroke,
      dash: line.dash,
      width: 2,
      points: { show: false },
      value: (_, v) => (v == null ? '' : words.text(signal, v)),
    })
    const edge: uPlot.Series = { scale, width: 0, points: { show: false } }
    series.push({ ...edge }, { ...edge })
    bands.push({ series: [at + 2, at + 1], fill: stroke + BAND })
  })
  return {
    width: host.clientWidth,
    height: HEIGHT,
    ms: 1,
    legend: { show: false },
    cursor: { points: { size: 7 }, drag: { setScale: false } },
    series,
    bands,
    scales: { x: { time: true, range: () => range() } },
    axes: [
      { ...frame, values: (_, ticks) => ticks.map((t) => format.time(t)), space: 70 },
      ...units.slice(0, 2).map((unit, k): uPlot.Axis => {
        const signal = signalOf(paths.find((p) => signalOf(p).unit === unit) ?? '')
        return {
          ...frame,
          scale: unit,
          side: k === 0 ? 3 : 1,
          size: 54,
          label: words.unit(signal),
          labelFont: font,
          labelSize: 18,
          labelGap: 2,
          grid: { show: k === 0, stroke: grid, width: 1 },
          values: (_, ticks) => ticks.map((v) => (v == null ? '' : words.number(signal, v))),
        }
      }),
    ],
  }
}
