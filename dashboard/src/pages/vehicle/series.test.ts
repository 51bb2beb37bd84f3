import { describe, expect, it } from 'vitest'
import { columns, extent, tableRows } from './series'

describe('columns', () => {
  it('puts two signals on one time axis', () => {
    const data = columns(
      { signals: { a: { t: [1000, 3000], v: [1, 3] }, b: { t: [2000, 3000], v: [20, 30] } } },
      ['a', 'b'],
    )
    expect(data.t).toEqual([1000, 2000, 3000])
    expect(data.signals[0]?.v).toEqual([1, undefined, 3])
    expect(data.signals[1]?.v).toEqual([undefined, 20, 30])
  })

  it('draws a silence as a hole', () => {
    const t = [0, 1000, 2000, 3000, 60_000, 61_000]
    const data = columns({ signals: { a: { t, v: [1, 1, 1, 1, 2, 2] } } }, ['a'])
    expect(data.signals[0]?.v).toEqual([1, 1, 1, 1, null, 2, 2])
    expect(data.t[4]).toBe(3001)
  })

  it('keeps the extremes the server kept', () => {
    const series = { t: [0, 1000], v: [5, 6], min: [1, 6], max: [9, 6] }
    const data = columns({ signals: { a: series } }, ['a'])
    expect(data.signals[0]?.min).toEqual([1, 6])
    expect(data.signals[0]?.max).toEqual([9, 6])
    expect(extent(series)).toEqual({ min: 1, max: 9, last: 6 })
  })

  it('answers nothing for a signal the vehicle does not have', () => {
    expect(columns({ signals: {} }, ['a']).t).toEqual([])
    expect(extent(undefined)).toBeUndefined()
  })
})

describe('the table twin', () => {
  it('is newest first and no longer than asked', () => {
    const t = Array.from({ length: 100 }, (_, i) => i * 1000)
    const data = columns({ signals: { a: { t, v: t.map((x) => x / 1000) } } }, ['a'])
    const rows = tableRows(data, 10)
    expect(rows.length).toBe(10)
    expect(rows[0]).toEqual({ t: 99_000, v: [99] })
  })
})
