// A page loaded when it is opened. Unlike React.lazy a failed load can be tried again, and says so.
import { type ComponentType, useCallback, useEffect, useState } from 'react'
import { ErrorPage } from '../pages/errors/error-page'
import { Unreachable } from '../sites/site'
import { Boundary } from './boundary'
import { Waiting } from './waiting'

type Module = { default: ComponentType }

export interface PageSource {
  load(): Promise<void>
  loaded?: ComponentType
}

const light: PageSource[] = []

/** Declare a page. A heavy one is not fetched ahead. */
export function pageSource(load: () => Promise<Module>, { heavy = false } = {}): PageSource {
  const source: PageSource = {
    load: async () => {
      source.loaded = (await load()).default
    },
  }
  if (!heavy) light.push(source)
  return source
}

/** Fetch the small pages ahead, so that a lost network does not take them away. */
export function prefetchPages(): void {
  for (const source of light) if (!source.loaded) source.load().catch(() => {})
}

export function Page({ source }: { source: PageSource }) {
  const [, redraw] = useState(0)
  const [error, setError] = useState<unknown>()
  const load = useCallback(() => {
    setError(undefined)
    source.load().then(
      () => redraw((n) => n + 1),
      (reason: unknown) => setError(new Unreachable(reason)),
    )
  }, [source])
  useEffect(() => {
    if (!source.loaded) load()
  }, [source, load])
  if (error) return <ErrorPage error={error} retry={load} />
  const Loaded = source.loaded
  if (!Loaded) return <Waiting />
  return (
    <Boundary>
      <Loaded />
    </Boundary>
  )
}
