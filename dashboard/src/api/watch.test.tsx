// @vitest-environment jsdom
import { focusManager, QueryClientProvider } from '@tanstack/react-query'
import { cleanup, render } from '@testing-library/react'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { queries, useWatch } from './queries'
import { call } from './request'

vi.mock('./request', async (original) => ({
  ...(await original<typeof import('./request')>()),
  call: vi.fn(async () => ({ data: undefined, etag: undefined })),
}))

function Looking() {
  useWatch('VF1AAAAAA00000001')
  return null
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  cleanup()
  queries.clear()
  focusManager.setFocused(undefined)
  vi.useRealTimers()
  vi.mocked(call).mockClear()
})

it('asks on opening and again before a minute is over, while the page is visible', async () => {
  const { unmount } = render(
    <QueryClientProvider client={queries}>
      <Looking />
    </QueryClientProvider>,
  )
  await vi.advanceTimersByTimeAsync(1)
  expect(call).toHaveBeenCalledTimes(1)
  expect(call).toHaveBeenCalledWith(
    '/vehicles/VF1AAAAAA00000001/watch',
    expect.objectContaining({ method: 'PUT' }),
  )
  await vi.advanceTimersByTimeAsync(59_000)
  expect(call).toHaveBeenCalledTimes(2)
  focusManager.setFocused(false)
  await vi.advanceTimersByTimeAsync(300_000)
  expect(call).toHaveBeenCalledTimes(2)
  focusManager.setFocused(true)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(vi.mocked(call).mock.calls.length).toBeGreaterThan(2)
  const asked = vi.mocked(call).mock.calls.length
  unmount()
  await vi.advanceTimersByTimeAsync(300_000)
  expect(call).toHaveBeenCalledTimes(asked)
})
