// How a signal is shown: its word, unit, digits, range, and how often a car is asked for it. A path
// that is not here is shown all the same, by its own name.

export type Unit =
  | 'kmh'
  | 'rpm'
  | 'celsius'
  | 'percent'
  | 'volt'
  | 'kpa'
  | 'gs'
  | 'lh'
  | 'degree'
  | 'metre'
  | 'km'
  | 'second'
  | 'hour'
  | 'flag'
  | 'none'

export interface Signal {
  path: string
  /** Key below `signal.` in the words. */
  word: string
  unit: Unit
  digits: number
  min: number
  max: number
  /** A value is old after three of these, and never before 10 s. */
  periodMs: number
  /** Shown as a gauge, in this order. */
  gauge?: boolean
  /** From here on the gauge is drawn as a warning. */
  high?: number
  /** Not worth a chart. */
  plain?: boolean
}

const FAST = 1_000
const SLOW = 10_000
const RARE = 300_000

const row = (
  path: string,
  word: string,
  unit: Unit,
  min: number,
  max: number,
  periodMs: number,
  more: Partial<Signal> = {},
): Signal => ({ path, word, unit, digits: 0, min, max, periodMs, ...more })

export const SPEED = 'Vehicle.Speed'
export const RPM = 'Vehicle.Powertrain.CombustionEngine.Speed'
const ENGINE = 'Vehicle.Powertrain.CombustionEngine'
const PLACE = 'Vehicle.CurrentLocation'

export const SIGNALS: readonly Signal[] = [
  row(SPEED, 'speed', 'kmh', 0, 200, FAST, { gauge: true }),
  row(RPM, 'rpm', 'rpm', 0, 7000, FAST, { gauge: true, high: 5500 }),
  row(`${ENGINE}.EngineCoolant.Temperature`, 'coolant', 'celsius', -20, 130, SLOW, {
    gauge: true,
    high: 110,
  }),
  row(`${ENGINE}.TPS`, 'throttle', 'percent', 0, 100, FAST, { gauge: true }),
  row('Vehicle.OBD.EngineLoad', 'load', 'percent', 0, 100, FAST, { gauge: true }),
  row('Vehicle.Chassis.Accelerator.PedalPosition', 'pedal', 'percent', 0, 100, FAST, {
    gauge: true,
  }),
  row(`${ENGINE}.MAP`, 'map', 'kpa', 0, 255, FAST, { gauge: true }),
  row(`${ENGINE}.MAF`, 'maf', 'gs', 0, 200, FAST, { gauge: true, digits: 1 }),
  row('Vehicle.OBD.IntakeTemp', 'intake', 'celsius', -20, 80, SLOW, { gauge: true }),
  row('Vehicle.LowVoltageBattery.CurrentVoltage', 'battery', 'volt', 10, 16, SLOW, {
    gauge: true,
    digits: 1,
  }),
  row('Vehicle.Powertrain.FuelSystem.RelativeLevel', 'fuel', 'percent', 0, 100, SLOW, {
    gauge: true,
  }),
  row('Vehicle.OBD.FuelRate', 'fuelRate', 'lh', 0, 40, FAST, { gauge: true, digits: 1 }),
  row(`${ENGINE}.EngineOil.Temperature`, 'oil', 'celsius', -20, 150, SLOW, {
    gauge: true,
    high: 130,
  }),
  row(
    'Vehicle.Powertrain.TractionBattery.StateOfCharge.Current',
    'charge',
    'percent',
    0,
    100,
    SLOW,
    {
      gauge: true,
    },
  ),
  row('Vehicle.Exterior.AirTemperature', 'outside', 'celsius', -30, 50, SLOW, { gauge: true }),
  row('Vehicle.OBD.BarometricPressure', 'barometer', 'kpa', 80, 110, SLOW),
  row('Vehicle.OBD.TimingAdvance', 'timing', 'degree', -64, 64, FAST, { digits: 1 }),
  row('Vehicle.OBD.ShortTermFuelTrim1', 'trimShort', 'percent', -50, 50, FAST, { digits: 1 }),
  row('Vehicle.OBD.LongTermFuelTrim1', 'trimLong', 'percent', -50, 50, SLOW, { digits: 1 }),
  row('Vehicle.OBD.AcceleratorPositionE', 'pedalE', 'percent', 0, 100, FAST),
  row('Vehicle.OBD.RelativeThrottlePosition', 'throttleRelative', 'percent', 0, 100, FAST),
  row('Vehicle.OBD.AbsoluteLoad', 'loadAbsolute', 'percent', 0, 100, FAST),
  row('Vehicle.OBD.RunTime', 'runTime', 'second', 0, 65535, SLOW),
  row('Vehicle.TraveledDistance', 'odometer', 'metre', 0, 1e9, SLOW),
  row('Vehicle.OBD.DistanceWithMIL', 'distanceMil', 'km', 0, 65535, SLOW),
  row('Vehicle.OBD.DistanceSinceDTCClear', 'distanceClear', 'km', 0, 65535, SLOW),
  row('Vehicle.OBD.Status.IsMILOn', 'mil', 'flag', 0, 1, RARE, { plain: true }),
  row('Vehicle.OBD.Status.DTCCount', 'dtcCount', 'none', 0, 127, RARE, { plain: true }),
  row('Vehicle.OBD.Status.IgnitionType', 'ignitionType', 'none', 0, 1, RARE, { plain: true }),
  row('Vehicle.OBD.OBDStandards', 'standard', 'none', 0, 255, Number.POSITIVE_INFINITY, {
    plain: true,
  }),
  row(`${ENGINE}.IsRunning`, 'running', 'flag', 0, 1, FAST, { plain: true }),
  row('Vehicle.IsMoving', 'isMoving', 'flag', 0, 1, FAST, { plain: true }),
  row('Vehicle.LowVoltageSystemState', 'lowVoltage', 'none', 0, 5, FAST, { plain: true }),
  row(`${PLACE}.Latitude`, 'latitude', 'degree', -90, 90, FAST, { digits: 5, plain: true }),
  row(`${PLACE}.Longitude`, 'longitude', 'degree', -180, 180, FAST, { digits: 5, plain: true }),
  row(`${PLACE}.Altitude`, 'altitude', 'metre', -100, 3000, FAST),
  row(`${PLACE}.Heading`, 'heading', 'degree', 0, 360, FAST, { plain: true }),
  row(`${PLACE}.HorizontalAccuracy`, 'accuracy', 'metre', 0, 100, FAST, { digits: 1 }),
  row(`${PLACE}.VerticalAccuracy`, 'accuracyVertical', 'metre', 0, 100, FAST, { digits: 1 }),
]

const BY_PATH = new Map(SIGNALS.map((signal) => [signal.path, signal]))

export function signalOf(path: string): Signal {
  return BY_PATH.get(path) ?? row(path, '', 'none', 0, 100, SLOW, { digits: 2 })
}

/** Known signals in the table's order, then the others by name. */
export function inOrder(paths: string[]): string[] {
  const place = (path: string) => {
    const at = SIGNALS.findIndex((signal) => signal.path === path)
    return at < 0 ? SIGNALS.length : at
  }
  return [...paths].sort((a, b) => place(a) - place(b) || a.localeCompare(b))
}

export function isOldValue(signal: Signal, ageMs: number): boolean {
  return ageMs > Math.max(10_000, 3 * signal.periodMs)
}
