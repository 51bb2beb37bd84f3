// Words: one JSON per language, fetched alone, so that a reader of French never loads English.
import i18next, { type i18n } from 'i18next'
import { initReactI18next } from 'react-i18next'
import en from './en.json?url'
import fr from './fr.json?url'

export const LANGUAGES = ['fr', 'en'] as const
export type Language = (typeof LANGUAGES)[number]

const ADDRESS: Record<Language, string> = { fr, en }
const KEY = 'vigie.language'

function isLanguage(value: unknown): value is Language {
  return LANGUAGES.includes(value as Language)
}

/** The reader's choice on this device, else the browser's first language we speak, else French. */
export function firstLanguage(): Language {
  const chosen = localStorage.getItem(KEY)
  if (isLanguage(chosen)) return chosen
  for (const tag of navigator.languages) {
    const short = tag.slice(0, 2).toLowerCase()
    if (isLanguage(short)) return short
  }
  return 'fr'
}

async function load(language: Language): Promise<void> {
  if (i18next.hasResourceBundle(language, 'translation')) return
  const answer = await fetch(ADDRESS[language])
  if (!answer.ok) throw new Error(`words: status ${answer.status}`)
  i18next.addResourceBundle(language, 'translation', await answer.json())
}

export async function startWords(): Promise<i18n> {
  const language = firstLanguage()
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false,
    resources: {},
    interpolation: { escapeValue: false },
    react: { useSuspense: false },
  })
  await load(language)
  document.documentElement.lang = language
  return i18next
}

export async function speak(language: Language): Promise<void> {
  await load(language)
  await i18next.changeLanguage(language)
  document.documentElement.lang = language
  localStorage.setItem(KEY, language)
}

/** The account's language, unless this device has chosen one. */
export async function speakFor(locale: string | undefined): Promise<void> {
  const short = locale?.slice(0, 2)
  if (localStorage.getItem(KEY) === null && isLanguage(short) && short !== i18next.language) {
    await load(short)
    await i18next.changeLanguage(short)
    document.documentElement.lang = short
  }
}
