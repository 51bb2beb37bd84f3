import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  BACKOFF_FIRST_MS,
  BACKOFF_LAST_MS,
  backoffMs,
  LiveFeed,
  OPENING_MS,
  PING_MS,
  SILENCE_MS,
  type Socket,
} from './live'

class FakeSocket implements Socket {
  sent: unknown[] = []
  closed = false
  onopen: ((event: never) => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: never) => void) | null = null
  onerror: ((event: never) => void) | null = null
  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {}
  send(text: string) {
    this.sent.push(JSON.parse(text))
  }
  close() {
    this.closed = true
  }
  open() {
    this.onopen?.({} as never)
  }
  say(frame: object) {
    this.onmessage?.({ data: JSON.stringify(frame) })
  }
}

function setup() {
  const sockets: FakeSocket[] = []
  const invite = vi.fn(async () => ({ url: 'ws://site/live', ticket: `t${sockets.length}` }))
  const seen = { snapshot: vi.fn(), live: vi.fn(), resync: vi.fn(), link: vi.fn() }
  const feed = new LiveFeed({
    invite,
    open: (url, protocols) => {
      const socket = new FakeSocket(url, protocols)
      sockets.push(socket)
      return socket
    },
    onSnapshot: seen.snapshot,
    onLive: seen.live,
    onResync: seen.resync,
    onLink: seen.link,
    random: () => 0.5,
  })
  const settle = () => vi.advanceTimersByTimeAsync(0)
  const socket = (i: number) => sockets[i] as FakeSocket
  return { feed, sockets, socket, invite, seen, settle }
}

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

async function opened() {
  const all = setup()
  all.feed.start()
  await all.settle()
  all.socket(0).open()
  all.socket(0).say({ type: 'snapshot', vehicles: [{ vin: 'A' }], cursor: 'c1' })
  return all
}

describe('LiveFeed', () => {
  it('carries the ticket as a sub-protocol and never in the address', async () => {
    const { socket } = await opened()
    expect(socket(0).url).toBe('ws://site/live')
    expect(socket(0).protocols).toEqual(['fleet.v1', 'ticket.t0'])
  })

  it('subscribes to all, takes the snapshot, and only then calls itself open', async () => {
    const { feed, socket, seen, settle } = setup()
    feed.start()
    await settle()
    socket(0).open()
    expect(socket(0).sent).toEqual([{ type: 'subscribe', vehicles: ['*'] }])
    expect(feed.link.state).toBe('connecting')
    socket(0).say({ type: 'snapshot', vehicles: [{ vin: 'A' }] })
    expect(seen.snapshot).toHaveBeenCalledWith([{ vin: 'A' }])
    expect(feed.link.state).toBe('open')
    feed.stop()
  })

  it('pings every 15 s', async () => {
    const { feed, socket } = await opened()
    await vi.advanceTimersByTimeAsync(PING_MS)
    expect(socket(0).sent.at(-1)).toEqual({ type: 'ping' })
    feed.stop()
  })

  it('takes 35 s of silence for dead and comes back with a new ticket', async () => {
    const { feed, sockets, socket, invite } = await opened()
    await vi.advanceTimersByTimeAsync(SILENCE_MS - 1)
    expect(feed.link.state).toBe('open')
    await vi.advanceTimersByTimeAsync(1)
    expect(feed.link.state).toBe('down')
    expect(socket(0).closed).toBe(true)
    await vi.advanceTimersByTimeAsync(BACKOFF_LAST_MS)
    expect(sockets.length).toBe(2)
    expect(invite).toHaveBeenCalledTimes(2)
    expect(socket(1).protocols[1]).toBe('ticket.t1')
    feed.stop()
  })

  it('stays alive on pongs alone', async () => {
    const { feed, socket } = await opened()
    for (let i = 0; i < 5; i++) {
      await vi.advanceTimersByTimeAsync(PING_MS)
      socket(0).say({ type: 'pong' })
    }
    expect(feed.link.state).toBe('open')
    feed.stop()
  })

  it('resumes from the last cursor', async () => {
    const { feed, socket } = await opened()
    socket(0).onclose?.({} as never)
    await vi.advanceTimersByTimeAsync(BACKOFF_LAST_MS)
    socket(1).open()
    expect(socket(1).sent).toEqual([{ type: 'subscribe', vehicles: ['*'], resume: 'c1' }])
    feed.stop()
  })

  it('answers resync by telling the lists and subscribing afresh', async () => {
    const { feed, socket, seen } = await opened()
    socket(0).say({ type: 'resync' })
    expect(seen.resync).toHaveBeenCalledTimes(1)
    expect(socket(0).sent.at(-1)).toEqual({ type: 'subscribe', vehicles: ['*'] })
    feed.stop()
  })

  it('keeps the time of the first loss through failed tries', async () => {
    const { feed, invite } = await opened()
    invite.mockRejectedValue(new Error('away'))
    const lostAt = Date.now() + SILENCE_MS
    await vi.advanceTimersByTimeAsync(SILENCE_MS + 60_000)
    expect(feed.link).toEqual({ state: 'down', since: lostAt })
    expect(invite.mock.calls.length).toBeGreaterThan(5)
    feed.stop()
  })

  it('gives up a socket that opens and never says anything', async () => {
    const { feed, socket, settle } = setup()
    feed.start()
    await settle()
    socket(0).open()
    await vi.advanceTimersByTimeAsync(OPENING_MS)
    expect(socket(0).closed).toBe(true)
    expect(feed.link.state).toBe('down')
    feed.stop()
  })

  it('does not sit out the wait when the network is back', async () => {
    const { feed, sockets, socket } = await opened()
    socket(0).onclose?.({} as never)
    feed.hurry()
    await vi.advanceTimersByTimeAsync(0)
    expect(sockets.length).toBe(2)
    feed.stop()
  })

  it('stops for good', async () => {
    const { feed, sockets, socket } = await opened()
    feed.stop()
    expect(socket(0).closed).toBe(true)
    await vi.advanceTimersByTimeAsync(120_000)
    expect(sockets.length).toBe(1)
  })

  it('survives a frame that is no JSON', async () => {
    const { feed, socket } = await opened()
    socket(0).onmessage?.({ data: 'not json' })
    expect(feed.link.state).toBe('open')
    feed.stop()
  })
})

describe('backoffMs', () => {
  it('grows from 0.5 to 8 s, with chance, and never leaves that range', () => {
    for (let tries = 0; tries < 12; tries++)
      for (const random of [0, 0.5, 0.999]) {
        const wait = backoffMs(tries, random)
        expect(wait).toBeGreaterThanOrEqual(BACKOFF_FIRST_MS)
        expect(wait).toBeLessThanOrEqual(BACKOFF_LAST_MS)
      }
    expect(backoffMs(10, 0)).toBeLessThan(backoffMs(10, 0.9))
  })
})
