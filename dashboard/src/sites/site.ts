// Where calls go, and how one call is made. Today there is one site, the one that served this page;
// this is the only file that knows it, so a router between sites has one place to go.

export const API = '/api/frontend'

/** How long one call may take until its headers are here. */
const READ_MS = 8_000
const CHANGE_MS = 10_000

/** No usable answer: the network failed, the call took too long, or a gateway answered for the site. */
export class Unreachable extends Error {
  readonly status: number | undefined
  constructor(cause: unknown, status?: number) {
    super('the site does not answer', { cause })
    this.name = 'Unreachable'
    this.status = status
  }
}

const GATEWAY = new Set([502, 503, 504])

/** One call to the site. Throws Unreachable; every other answer, good or bad, is returned. */
export async function siteFetch(path: string, init: RequestInit = {}): Promise<Response> {
  const change = init.method !== undefined && init.method !== 'GET'
  const limit = AbortSignal.timeout(change ? CHANGE_MS : READ_MS)
  const signal = init.signal ? AbortSignal.any([init.signal, limit]) : limit
  let answer: Response
  try {
    answer = await fetch(API + path, { cache: 'no-store', ...init, signal })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new Unreachable(error)
  }
  if (GATEWAY.has(answer.status)) throw new Unreachable(undefined, answer.status)
  return answer
}
