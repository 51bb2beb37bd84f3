// Colours and shapes of the whole app. Contrast is checked by axe on every page, in both schemes.
import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core'

const petrol: MantineColorsTuple = [
  '#e8f4f7',
  '#d3e8ee',
  '#a5d1dd',
  '#73b9cb',
  '#4fa5bc',
  '#3898b3',
  '#2787a3',
  '#16738e',
  '#0b6177',
  '#024c5e',
]

const dark: MantineColorsTuple = [
  '#dfe5ea',
  '#bcc6cf',
  '#a1adb8',
  '#77848f',
  '#49555f',
  '#364149',
  '#2a333a',
  '#1b2228',
  '#151b20',
  '#0e1317',
]

export const theme = createTheme({
  primaryColor: 'petrol',
  primaryShade: { light: 8, dark: 8 },
  autoContrast: true,
  colors: { petrol, dark },
  defaultRadius: 'md',
  cursorType: 'pointer',
  fontFamily:
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', Arial, sans-serif",
  headings: { fontWeight: '650', sizes: { h1: { fontSize: '1.35rem', lineHeight: '1.3' } } },
})

export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#55616b',
    '--mantine-color-placeholder': '#5f6b75',
    '--vigie-page': '#f4f6f8',
    '--vigie-panel': '#ffffff',
    '--vigie-line': '#dde3e8',
    '--vigie-line-strong': '#7b8791',
    '--vigie-hover': '#eef3f6',
    '--vigie-track': '#e3e9ed',
    '--chart-1': '#0b6177',
    '--chart-2': '#b24a12',
    '--chart-3': '#5b55a8',
    '--state-moving': '#14794a',
    '--state-idle': '#a05a00',
    '--state-stopped': '#44617d',
    '--state-late': '#b24a12',
    '--state-lost': '#6c7076',
    '--state-sleeping': '#5b55a8',
    '--state-never': '#6c7076',
  },
  dark: {
    '--mantine-color-dimmed': '#a1adb8',
    '--mantine-color-placeholder': '#98a4af',
    '--vigie-page': '#12171b',
    '--vigie-panel': '#1b2228',
    '--vigie-line': '#2d373f',
    '--vigie-line-strong': '#7f8c97',
    '--vigie-hover': '#232c33',
    '--vigie-track': '#2f3a42',
    '--chart-1': '#4fa5bc',
    '--chart-2': '#f08a4b',
    '--chart-3': '#a7a1ee',
    '--state-moving': '#43c585',
    '--state-idle': '#e2a33c',
    '--state-stopped': '#8fb0d0',
    '--state-late': '#f08a4b',
    '--state-lost': '#98a2ab',
    '--state-sleeping': '#a7a1ee',
    '--state-never': '#98a2ab',
  },
})
