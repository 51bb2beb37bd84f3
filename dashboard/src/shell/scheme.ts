// Dark, light, or as the system says. Set on the document before the first paint of React.
import { localStorageColorSchemeManager } from '@mantine/core'

export const schemeManager = localStorageColorSchemeManager({ key: 'vigie.scheme' })

export function applyScheme(): void {
  const chosen = schemeManager.get('auto')
  const dark =
    chosen === 'dark' || (chosen === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches)
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light')
}
