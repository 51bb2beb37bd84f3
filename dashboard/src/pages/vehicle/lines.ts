/** How the first, second and third signal of a chart are drawn: by dash as well as by colour. */
export const LINES: readonly { color: string; dash: number[] }[] = [
  { color: '--chart-1', dash: [] },
  { color: '--chart-2', dash: [6, 3] },
  { color: '--chart-3', dash: [2, 3] },
]
