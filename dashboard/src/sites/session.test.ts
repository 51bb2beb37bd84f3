import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { call } from '../api/request'
import { type Note, Session } from './session'

const GRANT = { access_token: 'one', expires_in: 600 }

function note(signedIn: boolean): Note {
  let value = signedIn
  return {
    read: () => value,
    write: (next) => {
      value = next
    },
  }
}

const json = (status: number, body: unknown) =>
  new Response(status === 204 ? null : JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/json', 'x-request-id': 'r1' },
  })

const fetching = vi.fn<(url: string, init: RequestInit) => Promise<Response>>()

beforeEach(() => {
  vi.useFakeTimers()
  fetching.mockReset()
  vi.stubGlobal('fetch', fetching)
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('Session', () => {
  it('asks nothing of the site when nobody has signed in here', async () => {
    const session = new Session(note(false))
    await session.start()
    expect(session.state).toBe('out')
    expect(fetching).not.toHaveBeenCalled()
  })

  it('starts from the refresh cookie', async () => {
    fetching.mockResolvedValue(json(200, GRANT))
    const session = new Session(note(true))
    await session.start()
    expect(session.state).toBe('in')
    expect(fetching.mock.calls[0]?.[1].method).toBe('PUT')
    expect(await session.bearer()).toBe('one')
  })

  it('refreshes once for all who ask meanwhile', async () => {
    fetching.mockImplementation(async () => json(200, GRANT))
    const session = new Session(note(true))
    const tokens = await Promise.all([session.bearer(), session.bearer(), session.bearer()])
    expect(tokens).toEqual(['one', 'one', 'one'])
    expect(fetching).toHaveBeenCalledTimes(1)
  })

  it('renews before the token ends', async () => {
    const session = new Session(note(true))
    session.grant(GRANT)
    fetching.mockResolvedValue(json(200, { access_token: 'two', expires_in: 600 }))
    await vi.advanceTimersByTimeAsync(575_000)
    expect(await session.bearer()).toBe('two')
  })

  it('is signed out by 401 only', async () => {
    const session = new Session(note(true))
    session.grant({ ...GRANT, expires_in: 1 })
    fetching.mockResolvedValue(json(503, {}))
    await session.refresh()
    expect(session.state).toBe('in')
    fetching.mockResolvedValue(json(401, {}))
    await session.refresh()
    expect(session.state).toBe('out')
  })

  it('says away when it cannot start, and comes back by itself', async () => {
    fetching.mockRejectedValue(new TypeError('no network'))
    const session = new Session(note(true))
    await session.start()
    expect(session.state).toBe('away')
    fetching.mockImplementation(async () => json(200, GRANT))
    await vi.advanceTimersByTimeAsync(2_000)
    expect(session.state).toBe('in')
  })

  it('forgets at once when signing out, even with the site away', async () => {
    const memory = note(true)
    const session = new Session(memory)
    session.grant(GRANT)
    fetching.mockRejectedValue(new TypeError('no network'))
    await session.signOut()
    expect(session.state).toBe('out')
    expect(memory.read()).toBe(false)
  })
})

describe('call', () => {
  it('carries the token and nothing of the cookie', async () => {
    const session = new Session(note(true))
    session.grant(GRANT)
    fetching.mockResolvedValue(json(200, { items: [] }))
    await call('/vehicles', {}, session)
    const init = fetching.mock.calls[0]?.[1] as RequestInit
    expect(init.headers).toMatchObject({ authorization: 'Bearer one' })
    expect(init.credentials).toBe('omit')
  })

  it('answers one 401 by one refresh and the same call again', async () => {
    const session = new Session(note(true))
    session.grant(GRANT)
    fetching
      .mockResolvedValueOnce(json(401, {}))
      .mockResolvedValueOnce(json(200, { access_token: 'two', expires_in: 600 }))
      .mockResolvedValueOnce(json(200, { ok: true }))
    const { data } = await call<{ ok: boolean }>('/me', {}, session)
    expect(data.ok).toBe(true)
    expect(fetching).toHaveBeenCalledTimes(3)
  })

  it('gives the problem and the request id to whoever shows the error', async () => {
    const session = new Session(note(true))
    session.grant(GRANT)
    fetching.mockResolvedValue(
      json(422, { title: 'no', errors: [{ pointer: '/plate', code: 'x' }] }),
    )
    await expect(call('/vehicles/x', { method: 'PATCH', body: {} }, session)).rejects.toMatchObject(
      {
        status: 422,
        requestId: 'r1',
        problem: { errors: [{ pointer: '/plate', code: 'x' }] },
      },
    )
  })

  it('takes a gateway error for a site that does not answer', async () => {
    const session = new Session(note(true))
    session.grant(GRANT)
    fetching.mockResolvedValue(json(503, {}))
    await expect(call('/me', {}, session)).rejects.toMatchObject({ name: 'Unreachable' })
  })
})
