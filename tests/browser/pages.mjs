// Every page, in both themes, both languages, at 360 and 1280 px, any two of these together: no
// accessibility violation. Then what a page must do besides: deep link, 404, offline, language, theme, keyboard.
import {
  assert,
  AxeBuilder,
  complaintsSoFar,
  finish,
  openBrowser,
  shot,
  signIn,
  stack,
  test,
  until,
  visitor,
} from './lib.mjs'

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
/** Each theme with each language, each with each width: four looks see all pairs, eight would see
 *  each of them twice and take minutes more. */
const LOOKS = ['light', 'dark'].flatMap((scheme) =>
  ['fr', 'en'].map((language) => ({
    scheme,
    language,
    width: (scheme === 'light') === (language === 'fr') ? 360 : 1280,
  })),
)

await openBrowser()

/** A VIN to open: the first row of the list. */
async function firstVin(page) {
  await page.goto(`${stack.url}/vehicles`)
  const row = page.locator('tbody tr[data-vin]').first()
  await row.waitFor()
  return row.getAttribute('data-vin')
}

const heading = (page) => page.getByRole('heading', { level: 1 })

/** The body, with the network cut on the way; it is whole again afterwards, whatever happened. */
async function connectedAgain(page, body) {
  try {
    await body()
  } finally {
    await page.context().setOffline(false)
  }
}

async function settled(page, path) {
  await page.goto(stack.url + path)
  await until('the page is there', async () => {
    const busy = await page.locator('[aria-busy=true]').count()
    return busy === 0 && (await heading(page).count()) === 1
  })
  if (path.startsWith('/map')) await page.locator('[data-testid=map][data-ready=true]').waitFor()
  if (/^\/vehicles\/[A-HJ-NPR-Z0-9]{17}(\?|$)/.test(path))
    await until(
      'the history is there',
      async () => (await page.locator('figure figcaption, table').count()) > 0,
    )
}

/** axe, with the whole page in the window: a bar that stays at the edge covers whatever happens to be
 *  scrolled under it, which is no fault of the page. */
async function clean(page, name) {
  const window = page.viewportSize()
  const height = await page.evaluate(() => document.documentElement.scrollHeight)
  await page.setViewportSize({ width: window.width, height: Math.max(window.height, height) })
  try {
    await judge(page, name)
  } finally {
    await page.setViewportSize(window)
  }
}

async function judge(page, name) {
  const { violations } = await new AxeBuilder({ page }).withTags(TAGS).analyze()
  const told = violations.map(
    (v) =>
      `${v.id}: ${v.help}\n${v.nodes.map((n) => `    ${n.target} ${n.failureSummary}`).join('\n')}`,
  )
  assert(violations.length === 0, `${name}\n${told.join('\n')}`)
}

for (const { scheme, language, width } of LOOKS) {
  const look = `${scheme} ${language} ${width} px`
  const page = await visitor({
    width,
    height: width === 360 ? 760 : 800,
    scheme,
    language,
  })
  await test(`${look}: sign in is accessible`, async () => {
    await settled(page, '/login')
    assert((await page.locator('html').getAttribute('lang')) === language, 'wrong language')
    await clean(page, 'login')
    await shot(page, `login-${scheme}-${language}-${width}`)
    await signIn(page)
  })
  let vin
  await test(`${look}: a vehicle is listed`, async () => {
    vin = await firstVin(page)
  })
  const pages = {
    overview: '/',
    vehicles: '/vehicles',
    'vehicles, none found': '/vehicles?q=nothing-is-called-so',
    map: '/map',
    'map with a vehicle': `/map?vehicle=${vin}`,
    vehicle: `/vehicles/${vin}`,
    'vehicle, table': `/vehicles/${vin}?view=table`,
    'add a vehicle': '/vehicles/new',
    'edit a vehicle': `/vehicles/${vin}/edit`,
    'not found': '/no/such/page',
  }
  for (const [name, path] of Object.entries(pages))
    await test(`${look}: ${name} is accessible and fits`, async () => {
      await settled(page, path)
      await clean(page, name)
      const over = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      )
      assert(over <= 0, `${name} is ${over} px wider than the window`)
      await shot(page, `${name.replace(/\W+/g, '-')}-${scheme}-${language}-${width}`)
    })
  await page.context().close()
}

const page = await visitor()

await test('a deep link asks to sign in and then opens what it names', async () => {
  await page.goto(`${stack.url}/vehicles?state=lost&sort=age`)
  await page.waitForURL('**/login?next=**')
  await signIn(page)
  await page.waitForURL('**/vehicles?state=lost&sort=age')
  await page.getByRole('heading', { level: 1, name: 'Vehicles' }).waitFor()
  assert(
    (await page.getByRole('combobox', { name: 'Filter by state' }).inputValue()) === 'lost',
    'the filter of the address is not set',
  )
})

await test('an address elsewhere is not followed after a sign-in', async () => {
  const other = await visitor()
  await other.goto(`${stack.url}/login?next=//example.org/`)
  await signIn(other)
  assert(new URL(other.url()).origin === new URL(stack.url).origin, `went to ${other.url()}`)
  await other.context().close()
})

await test('filters stand in the address, and back undoes a visit', async () => {
  const vin = await firstVin(page)
  await page.getByRole('searchbox', { name: /Filter by name/ }).fill(vin)
  await page.waitForURL(`**/vehicles?q=${vin}`)
  await until('one row', async () => (await page.locator('tbody tr[data-vin]').count()) === 1)
  await page.locator('tbody a').first().click()
  await page.waitForURL(`**/vehicles/${vin}`)
  await page.goBack()
  await page.waitForURL(`**/vehicles?q=${vin}`)
  await until('one row', async () => (await page.locator('tbody tr[data-vin]').count()) === 1)
})

await test('an unknown address and an unknown vehicle are not found, inside the shell', async () => {
  for (const path of ['/no/such/page', '/vehicles/11111111111111111', '/vehicles/not-a-vin']) {
    await page.goto(stack.url + path)
    await page.getByRole('heading', { level: 1, name: 'Page not found' }).waitFor()
    await page.getByRole('navigation', { name: 'Main navigation' }).waitFor()
  }
})

await test('without a network the page says offline, and comes back on request', () =>
  connectedAgain(page, async () => {
    const vin = await firstVin(page)
    await page.goto(`${stack.url}/`)
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
    // The pages are fetched ahead after a while; the vehicle's page has to be here to be shown.
    await until('pages fetched ahead', () =>
      page.evaluate(() =>
        performance.getEntriesByType('resource').some((r) => /\/vehicle-[^/]+\.js$/.test(r.name)),
      ),
    )
    await page.context().setOffline(true)
    await page
      .getByRole('navigation', { name: 'Main navigation' })
      .getByRole('link', { name: 'Vehicles' })
      .click()
    await page.locator(`tbody tr[data-vin="${vin}"]`).waitFor()
    await page.evaluate(() => {
      history.pushState({}, '', '/vehicles/22222222222222222')
      dispatchEvent(new PopStateEvent('popstate'))
    })
    await page.getByRole('heading', { level: 1, name: 'Offline' }).waitFor()
    await clean(page, 'offline')
    await shot(page, 'offline')
    await page.context().setOffline(false)
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByRole('heading', { level: 1, name: 'Page not found' }).waitFor()
  }))

await test('a lost feed is told by the chip, and found again', () =>
  connectedAgain(page, async () => {
    await page.goto(`${stack.url}/`)
    const chip = page.getByTestId('status-chip')
    await until('connected', async () => !/connecting|offline/.test(await chip.innerText()))
    await page.context().setOffline(true)
    // An open socket may outlive the network in this browser: the silence of 35 s ends it.
    await until('the chip says offline', async () => /offline since/.test(await chip.innerText()))
    await page.context().setOffline(false)
    await until('connected again', async () => !/connecting|offline/.test(await chip.innerText()))
  }))

await test('the language changes without a reload, and stays', async () => {
  await page.getByRole('button', { name: 'Language' }).click()
  await page.getByRole('button', { name: 'Français' }).click()
  await page.getByRole('heading', { level: 1, name: 'Vue d’ensemble' }).waitFor()
  assert((await page.locator('html').getAttribute('lang')) === 'fr', 'lang is not fr')
  await page.reload()
  await page.getByRole('heading', { level: 1, name: 'Vue d’ensemble' }).waitFor()
  await page.getByRole('button', { name: 'Langue' }).click()
  await page.getByRole('button', { name: 'English' }).click()
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
})

await test('the theme changes to dark, stays, and goes back to the system', async () => {
  const scheme = () => page.locator('html').getAttribute('data-mantine-color-scheme')
  await page.getByRole('button', { name: 'Theme' }).click()
  await page.getByRole('button', { name: 'Dark' }).click()
  await until('dark', async () => (await scheme()) === 'dark')
  await page.reload()
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
  assert((await scheme()) === 'dark', 'the theme did not stay')
  await page.getByRole('button', { name: 'Theme' }).click()
  await page.getByRole('button', { name: 'System' }).click()
  await until('light', async () => (await scheme()) === 'light')
})

await test('a vehicle is found and opened by keyboard alone', async () => {
  await page.goto(`${stack.url}/vehicles`)
  await page.locator('tbody tr[data-vin]').first().waitFor()
  await page.keyboard.press('Tab')
  const skip = page.getByRole('link', { name: 'Skip to content' })
  assert(await skip.evaluate((e) => e === document.activeElement), 'the skip link is not first')
  await page.keyboard.press('Enter')
  for (let i = 0; i < 20; i++) {
    await page.keyboard.press('Tab')
    if (await page.evaluate(() => document.activeElement?.closest('tbody') !== null)) break
  }
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/vehicles\/[A-HJ-NPR-Z0-9]{17}$/)
})

await test('the form of a vehicle says what is wrong at its field', async () => {
  await page.goto(`${stack.url}/vehicles/new`)
  await page.getByRole('textbox', { name: /VIN/ }).fill('1M8GDM9A1KP04278')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await page.getByText('A VIN has 17 characters: digits and letters').waitFor()
  await page.getByRole('textbox', { name: /VIN/ }).fill('1M8GDM9A1KP042788')
  await page.getByText('The check digit does not fit').waitFor()
})

await test('the app can be installed', async () => {
  const manifest = await page.evaluate(async () => {
    const link = document.querySelector('link[rel=manifest]')
    const answer = await fetch(link.href)
    return { type: answer.headers.get('content-type'), body: await answer.json() }
  })
  assert(/^application\/manifest\+json/.test(manifest.type ?? ''), `served as ${manifest.type}`)
  for (const icon of manifest.body.icons) {
    const status = await page.evaluate(async (src) => (await fetch(src)).status, icon.src)
    assert(status === 200, `${icon.src}: ${status}`)
  }
})

await test('the console has no complaint', async () => {
  assert(complaintsSoFar().length === 0, complaintsSoFar().join('\n'))
})

await finish()
