// Our own line icons, 24 × 24. Always beside a word or inside a control that has a name.
const PATHS = {
  overview: 'M4 5h7v6H4zM13 5h7v4h-7zM13 11h7v8h-7zM4 13h7v6H4z',
  map: 'M9 4 3.5 6.5v13L9 17l6 2.5 5.5-2.5V4L15 6.5zM9 4v13M15 6.5v13',
  car: 'M5 17H3.5v-4l2-5.5A2 2 0 0 1 7.4 6h9.2a2 2 0 0 1 1.9 1.5l2 5.5v4H19M9 17h6M4 12.5h16',
  search: 'M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4',
  sun: 'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 3v2M12 19v2M3 12h2M19 12h2M5.6 5.6 7 7M17 17l1.4 1.4M5.6 18.4 7 17M17 7l1.4-1.4',
  moon: 'M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z',
  screen: 'M4 5h16v11H4zM9 20h6M12 16v4',
  globe:
    'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3.5 9h17M3.5 15h17M12 3c-5 5.5-5 12.5 0 18M12 3c5 5.5 5 12.5 0 18',
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20c.8-4 4-5.5 7.5-5.5s6.7 1.5 7.5 5.5',
  out: 'M14 8V5H5v14h9v-3M10 12h11M18 9l3 3-3 3',
  plus: 'M12 5v14M5 12h14',
  back: 'M19 12H5M11 6l-6 6 6 6',
  follow: 'M12 17a5 5 0 1 0 0-10 5 5 0 0 0 0 10zM12 3v4M12 17v4M3 12h4M17 12h4',
  warn: 'M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.3',
  cut: 'M3 3l18 18M8.5 15.5a5 5 0 0 1 5.7-.9M5.5 12.3a9 9 0 0 1 4-2.2M14 9.8a9 9 0 0 1 4.5 2.5M12 19v.3M2.5 9a14 14 0 0 1 4.3-2.7M11 5.1A14 14 0 0 1 21.5 9',
  again: 'M20 12a8 8 0 1 1-2.4-5.7M20 4v4.5h-4.5',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3.5 2',
  list: 'M9 6h11M9 12h11M9 18h11M4.5 6h.3M4.5 12h.3M4.5 18h.3',
  up: 'M6 15l6-6 6 6',
  down: 'M6 9l6 6 6-6',
  edit: 'M5 19l1-4L16 5l3 3L9 18zM14 7l3 3',
  close: 'M6 6l12 12M18 6 6 18',
  chart: 'M4 4v16h16M7.5 15l3.5-5 3 3 5-7',
  lock: 'M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3M12 14.5v2',
  lost: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9.5 9.5a2.6 2.6 0 1 1 3.6 2.4c-.8.4-1.1.9-1.1 1.9M12 16.7v.3',
  right: 'M9 6l6 6-6 6',
  dot: 'M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8z',
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill={name === 'dot' ? 'currentColor' : 'none'}
      stroke="currentColor"
      strokeWidth={1.8}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
      style={{ flex: 'none' }}
    >
      <path d={PATHS[name]} />
      {name === 'car' && (
        <path d="M7 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM17 19a2 2 0 1 0 0-4 2 2 0 0 0 0 4z" />
      )}
    </svg>
  )
}

export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 64 64" aria-hidden="true" focusable="false">
      <rect width="64" height="64" rx="15" fill="#0b6177" />
      <circle cx="32" cy="32" r="19" fill="none" stroke="#a5d1dd" strokeWidth="4" />
      <path d="M32 17 43 44 32 38.5 21 44z" fill="#fff" />
    </svg>
  )
}
