// The state of a vehicle as shape, colour and word: never by colour alone.
import { useTranslation } from 'react-i18next'
import type { FleetState } from './state'
import classes from './state-mark.module.css'

/** The same shapes are drawn on the map (map/marks.ts). */
export const SHAPES: Record<FleetState, { d: string; fill: boolean }> = {
  moving: { d: 'M8 1.5 13.5 14 8 11.3 2.5 14z', fill: true },
  idle: { d: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM6 5.5v5M10 5.5v5', fill: false },
  stopped: { d: 'M3.5 3.5h9v9h-9z', fill: true },
  late: { d: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.8V8l2.2 1.5', fill: false },
  lost: { d: 'M3.5 3.5l9 9M12.5 3.5l-9 9', fill: false },
  sleeping: { d: 'M13 9.8A5.6 5.6 0 0 1 6.2 3 5.6 5.6 0 1 0 13 9.8z', fill: true },
  never: { d: 'M8 13.5A5.5 5.5 0 1 0 8 2.5a5.5 5.5 0 0 0 0 11z', fill: false },
}

export function StateShape({ state, size = 14 }: { state: FleetState; size?: number }) {
  const shape = SHAPES[state]
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      aria-hidden="true"
      focusable="false"
      className={classes.shape}
      style={{ color: `var(--state-${state})` }}
    >
      <path
        d={shape.d}
        fill={shape.fill ? 'currentColor' : 'none'}
        stroke="currentColor"
        strokeWidth={shape.fill ? 1 : 1.8}
        strokeLinecap="round"
        strokeLinejoin="round"
        strokeDasharray={state === 'never' ? '2.4 2.2' : undefined}
      />
    </svg>
  )
}

export function StateMark({ state }: { state: FleetState }) {
  const { t } = useTranslation()
  return (
    <span className={classes.mark}>
      <StateShape state={state} />
      {t(`state.${state}`)}
    </span>
  )
}
