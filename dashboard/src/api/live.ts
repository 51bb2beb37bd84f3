// The live socket: ticket, subscribe, snapshot, ticks, ping, and getting back after a loss. Plain
// TypeScript without React; the outside (WebSocket, time, chance) comes in, so it is tested in Node.
import type { LiveVehicle } from './types'

export const PING_MS = 15_000
export const SILENCE_MS = 35_000
/** From opening the socket to the first frame. */
export const OPENING_MS = 10_000
export const BACKOFF_FIRST_MS = 500
export const BACKOFF_LAST_MS = 8_000

export type Link =
  | { state: 'connecting' }
  | { state: 'open' }
  /** since: local ms at which the last open socket was lost, or the first try failed. */
  | { state: 'down'; since: number }

export interface Socket {
  send(text: string): void
  close(): void
  onopen: ((event: never) => void) | null
  onmessage: ((event: { data: unknown }) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
}

export interface LiveOptions {
  /** Address of the feed and a ticket for it: asked anew for each try, a ticket works once. */
  invite(): Promise<{ url: string; ticket: string }>
  open(url: string, protocols: string[]): Socket
  onSnapshot(vehicles: LiveVehicle[]): void
  onLive(vehicles: LiveVehicle[]): void
  /** Lists may be out of date: fetch them again. */
  onResync(): void
  onLink(link: Link): void
  random?(): number
}

interface Frame {
  type?: string
  cursor?: string
  vehicles?: LiveVehicle[]
}

/** Half of the doubled wait is fixed, half is chance: many clients do not come back as one. */
export function backoffMs(tries: number, random: number): number {
  const full = Math.min(BACKOFF_FIRST_MS * 2 ** tries, BACKOFF_LAST_MS)
  return Math.max(BACKOFF_FIRST_MS, full * (0.5 + random / 2))
}

export class LiveFeed {
  link: Link = { state: 'connecting' }
  private readonly options: LiveOptions
  private socket: Socket | undefined
  private running = false
  private tries = 0
  private attempt = 0
  private cursor: string | undefined
  private timer: ReturnType<typeof setTimeout> | undefined
  private pinger: ReturnType<typeof setInterval> | undefined
  private watchdog: ReturnType<typeof setTimeout> | undefined

  constructor(options: LiveOptions) {
    this.options = options
  }

  start(): void {
    if (this.running) return
    this.running = true
    this.set({ state: 'connecting' })
    void this.connect()
  }

  stop(): void {
    this.running = false
    this.cursor = undefined
    this.attempt++
    clearTimeout(this.timer)
    this.drop()
  }

  /** The network is said to be back, or the page is shown again: do not sit out the wait. */
  hurry(): void {
    if (!this.running || this.link.state !== 'down' || this.socket) return
    clearTimeout(this.timer)
    this.tries = 0
    void this.connect()
  }

  private async connect(): Promise<void> {
    const attempt = ++this.attempt
    try {
      const { url, ticket } = await this.options.invite()
      if (!this.running || attempt !== this.attempt) return
      this.listen(this.options.open(url, ['fleet.v1', `ticket.${ticket}`]), attempt)
    } catch {
      if (attempt === this.attempt) this.lost()
    }
  }

  private listen(socket: Socket, attempt: number): void {
    this.socket = socket
    this.expect(OPENING_MS)
    socket.onopen = () => {
      const resume = this.cursor ? { resume: this.cursor } : {}
      socket.send(JSON.stringify({ type: 'subscribe', vehicles: ['*'], ...resume }))
      this.pinger = setInterval(() => socket.send('{"type":"ping"}'), PING_MS)
    }
    socket.onmessage = (event) => {
      this.expect(SILENCE_MS)
      this.take(event.data)
    }
    socket.onclose = () => {
      if (attempt === this.attempt) this.lost()
    }
    socket.onerror = () => {}
  }

  /** The next frame is due within `ms`, or the link is dead. */
  private expect(ms: number): void {
    clearTimeout(this.watchdog)
    this.watchdog = setTimeout(() => this.lost(), ms)
  }

  private take(data: unknown): void {
    let frame: Frame
    try {
      frame = JSON.parse(String(data)) as Frame
    } catch {
      return
    }
    if (typeof frame.cursor === 'string') this.cursor = frame.cursor
    if (frame.type === 'snapshot') {
      this.tries = 0
      this.options.onSnapshot(frame.vehicles ?? [])
      this.set({ state: 'open' })
    } else if (frame.type === 'live') {
      this.options.onLive(frame.vehicles ?? [])
    } else if (frame.type === 'resync') {
      this.cursor = undefined
      this.options.onResync()
      this.socket?.send(JSON.stringify({ type: 'subscribe', vehicles: ['*'] }))
    }
  }

  private lost(): void {
    this.attempt++
    this.drop()
    if (!this.running) return
    if (this.link.state !== 'down') this.set({ state: 'down', since: Date.now() })
    const random = this.options.random ?? Math.random
    this.timer = setTimeout(() => void this.connect(), backoffMs(this.tries++, random()))
  }

  private drop(): void {
    clearInterval(this.pinger)
    clearTimeout(this.watchdog)
    const socket = this.socket
    this.socket = undefined
    if (!socket) return
    socket.onopen = socket.onmessage = socket.onclose = null
    socket.close()
  }

  private set(link: Link): void {
    this.link = link
    this.options.onLink(link)
  }
}
