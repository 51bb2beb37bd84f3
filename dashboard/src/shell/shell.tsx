// The frame round every page once signed in: top bar, sider (a bottom bar on a phone), main.
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, Navigate, NavLink, Outlet, useLocation } from 'react-router'
import { queries, useMe, useVehicles } from '../api/queries'
import { startFeed } from '../fleet/feed'
import { fleet } from '../fleet/store'
import { ErrorPage } from '../pages/errors/error-page'
import { session } from '../sites/session'
import { speakFor } from '../words'
import { Icon, type IconName, Logo } from './icon'
import { LanguageMenu, SchemeMenu, UserMenu } from './menus'
import { prefetchPages } from './page'
import { SearchBox } from './search-box'
import classes from './shell.module.css'
import { StatusChip } from './status-chip'
import { useSession } from './use-session'
import { Waiting } from './waiting'

const PLACES: { to: string; icon: IconName; word: string; end?: boolean }[] = [
  { to: '/', icon: 'overview', word: 'nav.overview', end: true },
  { to: '/map', icon: 'map', word: 'nav.map' },
  { to: '/vehicles', icon: 'car', word: 'nav.vehicles' },
]

const PREFETCH_AFTER_MS = 3_000

function refreshLists(): void {
  void queries.invalidateQueries({ queryKey: ['vehicles'] })
}

/** What runs while someone is signed in: the feed, the list of vehicles, the pages ahead. */
function SignedIn() {
  const me = useMe()
  useVehicles()
  const locale = me.data?.locale
  useEffect(() => {
    const stop = startFeed(refreshLists)
    const ahead = setTimeout(prefetchPages, PREFETCH_AFTER_MS)
    return () => {
      clearTimeout(ahead)
      stop()
      fleet.clear()
      queries.clear()
    }
  }, [])
  useEffect(() => {
    void speakFor(locale)
  }, [locale])
  return null
}

export function Shell() {
  const { t } = useTranslation()
  const state = useSession()
  const where = useLocation()
  if (state === 'out') {
    const next = where.pathname + where.search
    return (
      <Navigate to={next === '/' ? '/login' : `/login?next=${encodeURIComponent(next)}`} replace />
    )
  }
  return (
    <div className={classes.shell}>
      <a href="#main" className={classes.skip}>
        {t('nav.skip')}
      </a>
      <header className={classes.header}>
        <Link to="/" className={classes.brand} aria-label={t('nav.home')}>
          <Logo />
          <span className={classes.name}>Vigie</span>
        </Link>
        <SearchBox />
        <div className={classes.tools}>
          {state === 'in' && <StatusChip />}
          <SchemeMenu />
          <LanguageMenu />
          <UserMenu />
        </div>
      </header>
      <nav className={classes.side} aria-label={t('nav.main')}>
        <div className={classes.places}>
          {PLACES.map((place) => (
            <NavLink key={place.to} to={place.to} end={place.end} className={classes.place ?? ''}>
              <Icon name={place.icon} />
              <span>{t(place.word)}</span>
            </NavLink>
          ))}
        </div>
      </nav>
      <main id="main" className={classes.main} tabIndex={-1}>
        {state === 'in' && <Outlet />}
        {state === 'starting' && <Waiting />}
        {state === 'away' && <ErrorPage kind="offline" retry={() => void session.refresh()} />}
      </main>
      {state === 'in' && <SignedIn />}
    </div>
  )
}
