// Joins the live socket to the store, and tells the rest of the page how the link is.

import { type Link, LiveFeed, type Socket } from '../api/live'
import { call } from '../api/request'
import type { Config, Ticket } from '../api/types'
import { session } from '../sites/session'
import { fleet } from './store'

let link: Link = { state: 'connecting' }
const listeners = new Set<() => void>()

export function subscribeLink(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

export function linkNow(): Link {
  return link
}

/** The feed's path is fixed; operators may give the address with or without it. */
export function feedUrl(ws: string): string {
  const url = new URL(ws, location.href.replace(/^http/, 'ws'))
  if (url.pathname === '/' || url.pathname === '') url.pathname = '/live'
  return url.href
}

/** Start the feed; `onStale` is told when the lists should be fetched again. Returns the stop. */
export function startFeed(onStale: () => void): () => void {
  const feed = new LiveFeed({
    invite: async () => {
      if (session.state !== 'in') throw new Error('not signed in')
      const config = (await call<Config>('/config', { anonymous: true })).data
      const site = config.sites[0]
      if (!site) throw new Error('the site names no address for its feed')
      const { ticket } = (await call<Ticket>('/ws-tickets', { method: 'POST', body: {} })).data
      return { url: feedUrl(site.ws), ticket }
    },
    open: (url, protocols) => new WebSocket(url, protocols) as unknown as Socket,
    onSnapshot: (vehicles) => {
      if (fleet.putLive(vehicles)) onStale()
    },
    onLive: (vehicles) => {
      if (fleet.putLive(vehicles)) onStale()
    },
    onResync: onStale,
    onLink: (next) => {
      if (next.state === 'open' && link.state === 'down') onStale()
      link = next
      for (const listener of listeners) listener()
    },
  })
  const hurry = () => {
    if (document.visibilityState === 'visible') feed.hurry()
  }
  window.addEventListener('online', hurry)
  document.addEventListener('visibilitychange', hurry)
  feed.start()
  return () => {
    window.removeEventListener('online', hurry)
    document.removeEventListener('visibilitychange', hurry)
    feed.stop()
  }
}
