// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/react'
import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { MemoryRouter } from 'react-router'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { ApiError } from '../../api/request'
import { Unreachable } from '../../sites/site'
import en from '../../words/en.json'
import { ErrorNote, ErrorPage } from './error-page'

beforeAll(async () => {
  await i18next.use(initReactI18next).init({
    lng: 'en',
    resources: { en: { translation: en } },
    interpolation: { escapeValue: false },
  })
})
afterEach(cleanup)

const show = (error: unknown, retry = vi.fn()) => {
  render(
    <MemoryRouter>
      <ErrorPage error={error} retry={retry} />
    </MemoryRouter>,
  )
  return retry
}

describe('ErrorPage', () => {
  it('names what happened, and gives a way on', () => {
    show(new ApiError(403, {}, 'r-1'))
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Access denied')
    expect(screen.getByRole('link').getAttribute('href')).toBe('/')
    expect(screen.queryByRole('button')).toBeNull()
  })

  it('shows the request number of an error at the site, and tries again when asked', () => {
    const retry = show(new ApiError(500, { detail: 'text of a library' }, 'r-2'))
    expect(screen.getByText('Request r-2')).toBeTruthy()
    expect(screen.queryByText(/library/)).toBeNull()
    fireEvent.click(screen.getByRole('button', { name: 'Try again' }))
    expect(retry).toHaveBeenCalledTimes(1)
  })

  it('tells a missing page from a missing network', () => {
    show(new ApiError(404, {}, undefined))
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Page not found')
    cleanup()
    show(new Unreachable(undefined))
    expect(screen.getByRole('heading', { level: 1 }).textContent).toBe('Offline')
  })
})

describe('ErrorNote', () => {
  it('is announced, for the part that failed', () => {
    render(<ErrorNote error={new Unreachable(undefined)} retry={() => {}} />)
    expect(screen.getByRole('alert').textContent).toContain('does not answer')
  })
})
