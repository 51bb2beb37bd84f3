// What the browser tests share: one Chromium, TAP lines, sign-in, and waiting for conditions.
import { mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(new URL('../../dashboard/package.json', import.meta.url))
const { chromium } = require('playwright-core')
export const { default: AxeBuilder } = require('@axe-core/playwright')

export const WAIT_MS = 90_000

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--enable-unsafe-swiftshader',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function need(name) {
  const value = process.env[name]
  if (!value) {
    console.log(`Bail out! ${name} is not set: source run/env of a running stack`)
    process.exit(2)
  }
  return value
}

export const stack = {
  url: need('VIGIE_URL').replace(/\/$/, ''),
  user: need('VIGIE_ADMIN_USER'),
  password: need('VIGIE_ADMIN_PASSWORD'),
}

let count = 0
let failures = 0

/** One test: a name that is a sentence, and a body that throws when it is not so. */
export async function test(name, body) {
  const number = ++count
  const start = Date.now()
  try {
    await body()
    console.log(`ok ${number} - ${name} # time=${Date.now() - start}ms`)
  } catch (error) {
    failures++
    console.log(`not ok ${number} - ${name}`)
    for (const line of String(error?.stack ?? error).split('\n')) console.log(`# ${line}`)
  }
}

/** A test the following ones stand on: when it fails they are not tried, and fail. */
export async function step(name, body) {
  if (failures > 0) {
    failures++
    console.log(`not ok ${++count} - ${name} # not reached`)
    return
  }
  await test(name, body)
}

export function assert(condition, message) {
  if (!condition) throw new Error(message)
}

/** Ask until the answer is true; the last answer is in the message when it never is. */
export async function until(what, ask, wait = WAIT_MS) {
  const end = Date.now() + wait
  let last
  do {
    last = await ask()
    if (last) return last
    await new Promise((done) => setTimeout(done, 200))
  } while (Date.now() < end)
  throw new Error(`waited ${wait / 1000} s in vain: ${what}`)
}

const complaints = []

/** What the console said that no page may say. */
export function complaintsSoFar() {
  return complaints.slice()
}

let browser

export async function openBrowser() {
  browser = await chromium.launch({
    executablePath: process.env.VIGIE_CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: ARGS,
  })
}

/** A fresh visitor: own cookies, own storage, and a language chosen on this device, for the
 *  account's own would win otherwise. */
export async function visitor({
  width = 1280,
  height = 800,
  scheme = 'light',
  language = 'en',
} = {}) {
  const locale = language === 'fr' ? 'fr-FR' : 'en-GB'
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: scheme,
    locale,
    serviceWorkers: 'block',
  })
  context.setDefaultTimeout(WAIT_MS)
  await context.addInitScript((chosen) => {
    if (localStorage.getItem('vigie.language') === null)
      localStorage.setItem('vigie.language', chosen)
  }, language)
  const page = await context.newPage()
  page.on('console', (message) => {
    if (/violates|Refused to/i.test(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`))
  return page
}

/** Fill in the form on the page. Works in any language: the fields are found by what they are for. */
export async function signIn(page) {
  await page.locator('input[autocomplete=username]').fill(stack.user)
  await page.locator('input[autocomplete=current-password]').fill(stack.password)
  await page.locator('form button[type=submit]').click()
  await page.getByTestId('status-chip').waitFor()
}

export async function shot(page, name) {
  const folder = process.env.VIGIE_SCREENSHOT_DIR
  if (!folder) return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `${name}.png`) })
}

/** Close, print the plan, and leave with the right code. */
export async function finish() {
  await browser?.close()
  console.log(`1..${count}`)
  process.exit(failures === 0 ? 0 : 1)
}
