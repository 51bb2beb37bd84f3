// How live the page is, in words: live · delayed 40 s · no data since 14:02 · offline since 14:02.
import { useTranslation } from 'react-i18next'
import type { Link } from '../api/live'
import { useConfig } from '../api/queries'
import { type Freshness, freshness } from '../fleet/state'
import { fleet } from '../fleet/store'
import { useLink, useNow } from '../fleet/use-fleet'
import { useFormat } from '../words/format'
import { Drop } from './drop'
import classes from './status-chip.module.css'

export type Chip = 'connecting' | 'live' | 'delayed' | 'quiet' | 'offline'

export function chipOf(link: Link, fresh: Freshness): Chip {
  if (link.state === 'connecting') return 'connecting'
  if (link.state === 'down') return 'offline'
  return fresh.state
}

export function StatusChip() {
  const { t } = useTranslation()
  const format = useFormat()
  const link = useLink()
  const now = useNow()
  const { data: config } = useConfig()
  const fresh = freshness(fleet.all(), now)
  const chip = chipOf(link, fresh)
  const site = config?.sites.find((s) => s.id === config.site) ?? config?.sites[0]
  const values = {
    age: fresh.state === 'delayed' ? format.span(fresh.ageMs) : '',
    time:
      link.state === 'down'
        ? format.since(link.since, now)
        : fresh.state === 'quiet'
          ? format.since(fresh.since, now)
          : '',
  }
  const text = t(`live.${chip}`, values)
  return (
    <>
      <Drop
        buttonClass={classes.chip}
        data={{ 'data-chip': chip, 'data-testid': 'status-chip' }}
        face={
          <>
            <span className={classes.dot} aria-hidden="true" />
            <span className={classes.text}>{text}</span>
            {site && <span className={classes.site}>{site.label}</span>}
          </>
        }
      >
        {() => (
          <div className={classes.detail}>
            <strong>{text}</strong>
            <p>{t(`live.why.${chip}`)}</p>
            {site && <p>{t('live.site', { site: site.label })}</p>}
          </div>
        )}
      </Drop>
      <span className={classes.hidden} role="status">
        {t(`live.said.${chip}`)}
      </span>
    </>
  )
}
