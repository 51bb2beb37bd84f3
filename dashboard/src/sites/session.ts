// Who is signed in. The access token lives in this object and nowhere else; the refresh token is a
// cookie no script can read. A note in localStorage only says that trying a refresh is worth it.
import { siteFetch, Unreachable } from './site'

/** starting: not known yet · in · out · away: was signed in here, the site does not answer. */
export type SessionState = 'starting' | 'in' | 'out' | 'away'

export interface Grant {
  access_token: string
  expires_in: number
}

export interface Note {
  read(): boolean
  write(signedIn: boolean): void
}

const NOTE_KEY = 'vigie.signed-in'

export const localNote: Note = {
  read: () => localStorage.getItem(NOTE_KEY) === '1',
  write: (signedIn) => {
    if (signedIn) localStorage.setItem(NOTE_KEY, '1')
    else localStorage.removeItem(NOTE_KEY)
  },
}

/** Renew this long before the end, so that a call never starts with a token about to die. */
const MARGIN_MS = 30_000
const RETRY_FIRST_MS = 2_000
const RETRY_LAST_MS = 30_000

export class Session {
  state: SessionState = 'starting'
  private token = ''
  private endsAt = 0
  private refreshing: Promise<SessionState> | undefined
  private retry: ReturnType<typeof setTimeout> | undefined
  private readonly listeners = new Set<() => void>()
  private readonly note: Note

  constructor(note: Note) {
    this.note = note
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  snapshot = (): SessionState => this.state

  /** Begin: with a note of an earlier sign-in ask for a token, else wait for the form. */
  async start(): Promise<void> {
    if (this.note.read()) await this.refresh()
    else this.set('out')
  }

  /** Take a grant: the answer of a sign-in or of a refresh. */
  grant(grant: Grant, now = Date.now()): void {
    this.token = grant.access_token
    this.endsAt = now + grant.expires_in * 1000
    this.note.write(true)
    this.set('in')
  }

  /** The token for one call, renewed first when it is about to end. Empty when there is none. */
  async bearer(now = Date.now()): Promise<string> {
    if (this.token && now < this.endsAt - MARGIN_MS) return this.token
    await this.refresh()
    return this.token
  }

  /** The site refused this token: renew, unless another call has done so meanwhile. */
  async refused(token: string): Promise<string> {
    if (token && token === this.token) await this.refresh()
    return this.token
  }

  /** One refresh at a time; whoever asks meanwhile waits for the same one. */
  refresh(): Promise<SessionState> {
    this.refreshing ??= this.renew().finally(() => {
      this.refreshing = undefined
    })
    return this.refreshing
  }

  async signOut(): Promise<void> {
    this.forget()
    try {
      await siteFetch('/session', {
        method: 'DELETE',
        credentials: 'same-origin',
        headers: { 'content-type': 'application/json' },
      })
    } catch {
      // The cookie stays until the site is back; nothing on this page can use it without the note.
    }
  }

  /** Only the site's own 401 signs out. Silence keeps the user in and asks again later. */
  private async renew(): Promise<SessionState> {
    clearTimeout(this.retry)
    try {
      const answer = await siteFetch('/session', {
        method: 'PUT',
        credentials: 'same-origin',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      })
      if (answer.ok) this.grant((await answer.json()) as Grant)
      else if (answer.status === 401 || answer.status === 403) this.forget()
      else throw new Unreachable(undefined, answer.status)
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error
      if (Date.now() >= this.endsAt) this.token = ''
      if (!this.token) this.set('away')
      this.again(RETRY_FIRST_MS)
    }
    return this.state
  }

  private again(wait: number): void {
    clearTimeout(this.retry)
    this.retry = setTimeout(() => {
      if (!this.note.read()) return
      void this.refresh().then((state) => {
        if (state === 'away') this.again(Math.min(wait * 2, RETRY_LAST_MS))
      })
    }, wait)
  }

  private forget(): void {
    clearTimeout(this.retry)
    this.token = ''
    this.endsAt = 0
    this.note.write(false)
    this.set('out')
  }

  private set(state: SessionState): void {
    if (state === this.state) return
    this.state = state
    for (const listener of this.listeners) listener()
  }
}

export const session = new Session(localNote)
