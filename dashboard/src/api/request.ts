// One authorised call: bearer token, one refresh on 401, answers read as JSON, problems as ApiError.
import { clockSee } from '../sites/clock'
import type { Session } from '../sites/session'
import { session } from '../sites/session'
import { siteFetch } from '../sites/site'
import type { Problem } from './types'

/** The site answered, and said no. */
export class ApiError extends Error {
  readonly status: number
  readonly problem: Problem
  readonly requestId: string | undefined
  constructor(status: number, problem: Problem, requestId: string | undefined) {
    super(problem.title ?? `status ${status}`)
    this.name = 'ApiError'
    this.status = status
    this.problem = problem
    this.requestId = requestId
  }
}

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  body?: unknown
  /** Row version this change is based on, as the ETag said it. */
  ifMatch?: string
  /** Create only: refuse when the row exists. */
  ifNoneMatch?: '*'
  signal?: AbortSignal
  /** Calls before a sign-in carry no token. */
  anonymous?: boolean
}

export interface Answer<T> {
  data: T
  etag: string | undefined
}

export async function call<T>(path: string, options: Call = {}, who: Session = session) {
  const token = options.anonymous ? '' : await who.bearer()
  let answer = await siteFetch(path, init(options, token))
  if (answer.status === 401 && !options.anonymous) {
    const fresh = await who.refused(token)
    if (fresh && fresh !== token) answer = await siteFetch(path, init(options, fresh))
  }
  const date = answer.headers.get('date')
  if (date) clockSee(Date.parse(date))
  if (!answer.ok) throw await problemOf(answer)
  const data = (answer.status === 204 ? undefined : await answer.json()) as T
  return { data, etag: answer.headers.get('etag') ?? undefined } satisfies Answer<T>
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await call<T>(path, { signal })).data
}

function init(options: Call, token: string): RequestInit {
  const headers: Record<string, string> = { accept: 'application/json' }
  if (token) headers.authorization = `Bearer ${token}`
  if (options.body !== undefined) headers['content-type'] = 'application/json'
  if (options.ifMatch) headers['if-match'] = options.ifMatch
  if (options.ifNoneMatch) headers['if-none-match'] = options.ifNoneMatch
  return {
    method: options.method ?? 'GET',
    headers,
    body: options.body === undefined ? undefined : JSON.stringify(options.body),
    signal: options.signal,
    credentials: options.anonymous ? 'same-origin' : 'omit',
  }
}

async function problemOf(answer: Response): Promise<ApiError> {
  let problem: Problem = {}
  try {
    if (answer.headers.get('content-type')?.includes('json'))
      problem = (await answer.json()) as Problem
  } catch {
    // A body that is no JSON says nothing we could show; the status does.
  }
  const id = answer.headers.get('x-request-id') ?? problem.instance
  return new ApiError(answer.status, problem, id)
}
