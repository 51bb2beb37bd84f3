// Our own error pages, inside the shell: 403, 404, 500, offline. And the same as a note in a page of
// which only a part failed.
import { useTranslation } from 'react-i18next'
import { ApiError } from '../../api/request'
import { Icon, type IconName } from '../../shell/icon'
import { PageTitle } from '../../shell/page-frame'
import { Press, PressLink } from '../../shell/press'
import { Unreachable } from '../../sites/site'
import classes from './error-page.module.css'

export type ErrorKind = 'forbidden' | 'missing' | 'server' | 'offline'

const LOOK: Record<ErrorKind, { icon: IconName; code?: string }> = {
  forbidden: { icon: 'lock', code: '403' },
  missing: { icon: 'lost', code: '404' },
  server: { icon: 'warn', code: '500' },
  offline: { icon: 'cut' },
}

export function kindOf(error: unknown): ErrorKind {
  if (error instanceof Unreachable) return 'offline'
  if (error instanceof ApiError && error.status === 403) return 'forbidden'
  if (error instanceof ApiError && (error.status === 404 || error.status === 410)) return 'missing'
  return 'server'
}

function requestId(error: unknown): string | undefined {
  return error instanceof ApiError ? error.requestId : undefined
}

interface Props {
  error?: unknown
  kind?: ErrorKind
  retry?: () => void
}

export function ErrorPage({ error, kind = kindOf(error), retry }: Props) {
  const { t } = useTranslation()
  const look = LOOK[kind]
  const id = requestId(error)
  return (
    <div className={classes.box} data-testid={`error-${kind}`}>
      <span className={classes.mark}>
        <Icon name={look.icon} size={36} />
      </span>
      {look.code && <span className={classes.code}>{t('error.code', { code: look.code })}</span>}
      <PageTitle title={t(`error.${kind}.title`)}>{t(`error.${kind}.title`)}</PageTitle>
      <p className={classes.text}>{t(`error.${kind}.text`)}</p>
      {id && <p className={classes.id}>{t('error.request', { id })}</p>}
      <div className={classes.actions}>
        {retry && kind !== 'missing' && kind !== 'forbidden' && (
          <Press primary icon="again" onClick={retry}>
            {t('error.retry')}
          </Press>
        )}
        {kind !== 'offline' && <PressLink to="/">{t('error.home')}</PressLink>}
      </div>
    </div>
  )
}

export function NotFound() {
  return <ErrorPage kind="missing" />
}

/** Only this part of the page failed. */
export function ErrorNote({ error, retry }: { error: unknown; retry?: () => void }) {
  const { t } = useTranslation()
  const kind = kindOf(error)
  const id = requestId(error)
  return (
    <div role="alert" className={`vigie-panel ${classes.note}`}>
      <Icon name={LOOK[kind].icon} />
      <div style={{ flex: 1 }}>
        <p>{t(`error.${kind}.text`)}</p>
        {id && <p className={classes.id}>{t('error.request', { id })}</p>}
      </div>
      {retry && (
        <Press icon="again" onClick={retry}>
          {t('error.retry')}
        </Press>
      )}
    </div>
  )
}
