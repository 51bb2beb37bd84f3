// The main job, seen by a person: sign in, see three vehicles, see one move, open it, see its speed.
import {
  assert,
  complaintsSoFar,
  finish,
  openBrowser,
  shot,
  signIn,
  stack,
  step,
  test,
  until,
  visitor,
} from './lib.mjs'

/** A recorded drive may stand at a red light for a while. */
const DRIVE_MS = 180_000
const VEHICLES = Number(process.env.VIGIE_VEHICLES ?? 3)

await openBrowser()
const page = await visitor()
let vin

await step('a wrong password is refused in words', async () => {
  await page.goto(`${stack.url}/login`)
  await page.getByRole('textbox', { name: 'User name' }).fill(stack.user)
  await page.locator('input[type=password]').fill('certainly not this one')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('alert').filter({ hasText: 'Wrong user name or password' }).waitFor()
})

await step('the right password signs in', async () => {
  await signIn(page)
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
})

await step('the status chip says live', async () => {
  const chip = page.getByTestId('status-chip')
  await until('the chip says live', async () => /^live/.test(await chip.innerText()), DRIVE_MS)
})

await step(`the list shows ${VEHICLES} vehicles with data`, async () => {
  await page
    .getByRole('navigation', { name: 'Main navigation' })
    .getByRole('link', { name: 'Vehicles' })
    .click()
  await page.getByRole('heading', { level: 1, name: 'Vehicles' }).waitFor()
  const rows = page.locator('tbody tr[data-vin]')
  await until('enough rows', async () => (await rows.count()) >= VEHICLES)
  await until(
    'each row has an age',
    async () => (await rows.filter({ hasText: / ago/ }).count()) >= VEHICLES,
    DRIVE_MS,
  )
  await shot(page, 'vehicles')
})

await step('a vehicle is moving', async () => {
  const moving = page
    .locator('tbody tr[data-vin]')
    .filter({ has: page.getByText('moving', { exact: true }) })
  await until('a row says moving', async () => (await moving.count()) > 0, DRIVE_MS)
  vin = await moving.first().getAttribute('data-vin')
  assert(vin?.length === 17, `a row without its VIN: ${vin}`)
})

await step('the map draws', async () => {
  await page.goto(`${stack.url}/map`)
  await page.locator('[data-testid=map][data-ready=true]').waitFor()
  await page.getByText('GeoNames (CC BY 4.0)').waitFor()
  const buttons = page.getByRole('region', { name: 'Vehicles on the map' }).getByRole('button')
  await until('the twin lists the vehicles', async () => (await buttons.count()) >= VEHICLES)
  await shot(page, 'map')
})

await step('the moving vehicle changes its position on the map', async () => {
  await page.goto(`${stack.url}/map?vehicle=${vin}`)
  const position = page.getByTestId('position')
  await position.waitFor({ timeout: DRIVE_MS })
  const before = await position.innerText()
  await until('another position', async () => (await position.innerText()) !== before, DRIVE_MS)
  await page.locator('[data-testid=map][data-ready=true]').waitFor()
  await page.getByRole('button', { name: 'Follow' }).click()
  await page.getByRole('button', { name: 'Follow', pressed: true }).waitFor()
  await shot(page, 'map-vehicle')
})

await step('opened, it shows its speed, and the speed changes', async () => {
  await page.getByRole('link', { name: 'Open the vehicle' }).click()
  await page.waitForURL(`**/vehicles/${vin}`)
  const gauge = page.locator('[data-signal="Vehicle.Speed"]')
  await gauge.waitFor()
  await until('its unit and its source', async () => {
    const text = await gauge.innerText()
    return /km\/h/.test(text) && /OBD|GPS/.test(text)
  })
  const number = gauge.locator('b')
  const before = await number.innerText()
  await until('another speed', async () => (await number.innerText()) !== before, DRIVE_MS)
})

await step('its other values are shown with their age and source', async () => {
  for (const name of ['Engine speed', 'Throttle', 'Intake air']) {
    const gauge = page.getByRole('listitem').filter({ hasText: name }).first()
    await gauge.waitFor({ timeout: DRIVE_MS })
    await until(`${name} with age and source`, async () => /ago · OBD/.test(await gauge.innerText()))
  }
})

await step('its history is drawn, and told as a table', async () => {
  const history = page.getByRole('region', { name: 'History' })
  await history.locator('canvas').waitFor({ state: 'attached' })
  await until('the caption tells the range', async () =>
    /Speed: .*km\/h to .*km\/h/.test(await history.innerText()),
  )
  await shot(page, 'vehicle')
  await history.getByText('Table', { exact: true }).click()
  await history.getByRole('table').waitFor()
  await until('rows in the table', async () => (await history.getByRole('row').count()) > 2)
})

await step('the page comes back signed in after a reload', async () => {
  await page.reload()
  await page.locator('[data-signal="Vehicle.Speed"]').waitFor()
})

await step('signing out leaves nothing open', async () => {
  await page.getByRole('button', { name: 'Account' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.waitForURL('**/login**')
  await page.goto(`${stack.url}/vehicles`)
  await page.waitForURL('**/login?next=%2Fvehicles')
})

await test('the console has no complaint', async () => {
  assert(complaintsSoFar().length === 0, complaintsSoFar().join('\n'))
})

await finish()
