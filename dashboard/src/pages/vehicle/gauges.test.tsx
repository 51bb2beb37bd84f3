// @vitest-environment jsdom
import { cleanup, render, screen } from '@testing-library/react'
import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { VehicleState } from '../../api/types'
import { RPM, SPEED, signalOf } from '../../fleet/signals'
import en from '../../words/en.json'
import { arc, Gauges } from './gauges'
import { currentValues } from './values'

beforeAll(async () => {
  await i18next.use(initReactI18next).init({
    lng: 'en',
    resources: { en: { translation: en } },
    interpolation: { escapeValue: false },
  })
})
afterEach(cleanup)

const T = 1_800_000_000_000
const VIN = 'WVWZZZ1KZAW000001'
const state = (speed: number, ageMs: number): VehicleState => ({
  vin: VIN,
  connectivity: 'online',
  signals: {
    [SPEED]: { value: speed, t: new Date(T).toISOString(), age_ms: ageMs, source: 'obd' },
    [RPM]: { value: 1850, t: new Date(T).toISOString(), age_ms: ageMs, source: 'obd' },
  },
})

describe('a gauge', () => {
  it('shows value, unit, age and source', () => {
    render(
      <Gauges values={[{ signal: signalOf(SPEED), value: 52.4, ageMs: 2_000, source: 'obd' }]} />,
    )
    expect(screen.getByRole('listitem').textContent).toBe('52km/hSpeed2 sec ago · OBD')
  })

  it('says old in a word when the value is beyond its time', () => {
    render(
      <Gauges values={[{ signal: signalOf(SPEED), value: 52, ageMs: 10_001, source: 'obd' }]} />,
    )
    expect(screen.getByRole('listitem').textContent).toContain('old 10 sec ago')
  })

  it('draws no more than its whole arc', () => {
    expect(arc(7)).toBe(arc(1))
    expect(arc(-3)).toBe(arc(0))
  })
})

describe('currentValues', () => {
  it('takes the speed of the live feed when it is newer, with its own age', () => {
    const row = { vin: VIN, connectivity: 'online' as const, t: T + 3000, speed: 61 }
    const [speed, rpm] = currentValues(state(50, 5000), Date.now(), row, T + 4000)
    expect(speed).toMatchObject({ value: 61, ageMs: 1000 })
    expect(rpm?.value).toBe(1850)
  })

  it('keeps the answer of the site when the feed is older', () => {
    const row = { vin: VIN, connectivity: 'online' as const, t: T - 3000, speed: 61 }
    const [speed] = currentValues(state(50, 5000), Date.now(), row, T + 4000)
    expect(speed?.value).toBe(50)
  })
})
