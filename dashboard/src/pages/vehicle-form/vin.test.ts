import { describe, expect, it } from 'vitest'
import { checkDigitFits, isVin, tidyVin } from './vin'

describe('VIN', () => {
  it('has 17 characters without I, O and Q', () => {
    expect(isVin('1M8GDM9AXKP042788')).toBe(true)
    expect(isVin('1M8GDM9AXKP04278')).toBe(false)
    expect(isVin('1M8GDM9AXKP04278O')).toBe(false)
  })

  it('knows a right check digit, X for ten, from a wrong one', () => {
    expect(checkDigitFits('1M8GDM9AXKP042788')).toBe(true)
    expect(checkDigitFits('11111111111111111')).toBe(true)
    expect(checkDigitFits('1M8GDM9A1KP042788')).toBe(false)
  })

  it('is read as people type it', () => {
    expect(tidyVin(' 1m8gdm9axkp-042788 ')).toBe('1M8GDM9AXKP042788')
  })
})
