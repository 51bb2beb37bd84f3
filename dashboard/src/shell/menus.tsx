// The three menus of the top bar: theme, language, account.
import { useMantineColorScheme } from '@mantine/core'
import { useTranslation } from 'react-i18next'
import { useMe } from '../api/queries'
import { session } from '../sites/session'
import { LANGUAGES, type Language, speak } from '../words'
import { Choice, Drop } from './drop'
import { Icon, type IconName } from './icon'
import classes from './menus.module.css'
import { useSession } from './use-session'

const SCHEMES: { value: 'light' | 'dark' | 'auto'; icon: IconName }[] = [
  { value: 'light', icon: 'sun' },
  { value: 'dark', icon: 'moon' },
  { value: 'auto', icon: 'screen' },
]

const LANGUAGE_NAMES: Record<Language, string> = { fr: 'Français', en: 'English' }

export function SchemeMenu() {
  const { t } = useTranslation()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const icon = SCHEMES.find((s) => s.value === colorScheme)?.icon ?? 'screen'
  return (
    <Drop label={t('theme.choose')} face={<Icon name={icon} />}>
      {(close) =>
        SCHEMES.map((s) => (
          <Choice
            key={s.value}
            chosen={s.value === colorScheme}
            icon={<Icon name={s.icon} size={18} />}
            onClick={() => {
              setColorScheme(s.value)
              close()
            }}
          >
            {t(`theme.${s.value}`)}
          </Choice>
        ))
      }
    </Drop>
  )
}

export function LanguageMenu() {
  const { t, i18n } = useTranslation()
  return (
    <Drop label={t('language.choose')} face={<Icon name="globe" />}>
      {(close) =>
        LANGUAGES.map((language) => (
          <Choice
            key={language}
            lang={language}
            chosen={language === i18n.language}
            onClick={() => {
              void speak(language)
              close()
            }}
          >
            {LANGUAGE_NAMES[language]}
          </Choice>
        ))
      }
    </Drop>
  )
}

function Who() {
  const { t } = useTranslation()
  const { data: me } = useMe()
  if (!me) return null
  return (
    <p className={classes.who}>
      <strong>{me.name || me.username}</strong>
      <br />
      {[t(`role.${me.role}`), me.customer?.name].filter(Boolean).join(' · ')}
    </p>
  )
}

export function UserMenu() {
  const { t } = useTranslation()
  const state = useSession()
  return (
    <Drop label={t('account.menu')} face={<Icon name="user" />}>
      {() => (
        <>
          {state === 'in' && <Who />}
          <Choice icon={<Icon name="out" size={18} />} onClick={() => void session.signOut()}>
            {t('account.signOut')}
          </Choice>
        </>
      )}
    </Drop>
  )
}
