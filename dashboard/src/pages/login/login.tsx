// Sign in: a name, a password, and which site this is. Paste is allowed, no puzzle is asked.
import { Button, PasswordInput, TextInput } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Navigate, useNavigate, useSearchParams } from 'react-router'
import { useConfig } from '../../api/queries'
import { ApiError, call } from '../../api/request'
import { Logo } from '../../shell/icon'
import { LanguageMenu, SchemeMenu } from '../../shell/menus'
import { PageTitle } from '../../shell/page-frame'
import { useSession } from '../../shell/use-session'
import { type Grant, session } from '../../sites/session'
import '@mantine/core/styles/Loader.css'
import '@mantine/core/styles/UnstyledButton.css'
import '@mantine/core/styles/Button.css'
import '@mantine/core/styles/Input.css'
import '@mantine/core/styles/ActionIcon.css'
import '@mantine/core/styles/PasswordInput.css'
import classes from './login.module.css'

/** Only an address of this app may follow a sign-in. */
export function nextAddress(next: string | null): string {
  return next?.startsWith('/') && !next.startsWith('//') && !next.startsWith('/\\') ? next : '/'
}

function wordFor(error: unknown): string {
  if (!(error instanceof ApiError)) return 'login.unreachable'
  if (error.status === 401 || error.status === 403) return 'login.refused'
  if (error.status === 429) return 'login.tooMany'
  return 'login.failed'
}

export default function Login() {
  const { t } = useTranslation()
  const state = useSession()
  const navigate = useNavigate()
  const [params] = useSearchParams()
  const [error, setError] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const { data: config } = useConfig()
  const next = nextAddress(params.get('next'))
  if (state === 'in' && !busy) return <Navigate to={next} replace />

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault()
    const form = new FormData(event.currentTarget)
    setBusy(true)
    setError(undefined)
    try {
      const { data } = await call<Grant>('/session', {
        method: 'POST',
        anonymous: true,
        body: { username: form.get('username'), password: form.get('password') },
      })
      session.grant(data)
      navigate(next, { replace: true })
    } catch (reason) {
      setError(reason)
      setBusy(false)
    }
  }

  return (
    <div className={classes.page}>
      <div className={classes.tools}>
        <SchemeMenu />
        <LanguageMenu />
      </div>
      <main className={classes.main}>
        <div className={`vigie-panel ${classes.card}`}>
          <div className={classes.brand}>
            <Logo size={44} />
            <PageTitle title={t('login.title')}>{t('login.title')}</PageTitle>
          </div>
          <form onSubmit={submit} className={classes.form}>
            <TextInput
              name="username"
              label={t('login.username')}
              autoComplete="username"
              autoCapitalize="none"
              spellCheck={false}
              required
              withAsterisk={false}
              size="md"
              autoFocus
            />
            <PasswordInput
              name="password"
              label={t('login.password')}
              autoComplete="current-password"
              required
              withAsterisk={false}
              size="md"
              visibilityToggleButtonProps={{ 'aria-label': t('login.showPassword') }}
            />
            <div role="alert" className={classes.error}>
              {error !== undefined && <p>{t(wordFor(error))}</p>}
            </div>
            <Button type="submit" size="md" loading={busy} fullWidth>
              {t('login.submit')}
            </Button>
          </form>
        </div>
        {config && (
          <ul className={classes.sites} aria-label={t('login.sites')}>
            {config.sites.map((site) => (
              <li key={site.id}>
                {site.label}
                {site.id === config.site && <strong> · {t('login.siteInUse')}</strong>}
              </li>
            ))}
          </ul>
        )}
      </main>
    </div>
  )
}
