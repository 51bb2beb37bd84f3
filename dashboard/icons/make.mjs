// Draws the app's icons without any library: the logo's shapes, sampled 4 × 4 per pixel, as PNG.
// Run by `npm run icons`; the files in public/ are committed.
import { writeFileSync } from 'node:fs'
import { crc32, deflateSync } from 'node:zlib'

const PETROL = [0x0b, 0x61, 0x77]
const RING = [0xa5, 0xd1, 0xdd]
const WHITE = [0xff, 0xff, 0xff]
const ARROW = [
  [32, 17],
  [43, 44],
  [32, 38.5],
  [21, 44],
]

function inArrow(x, y) {
  let inside = false
  for (let i = 0, j = ARROW.length - 1; i < ARROW.length; j = i++) {
    const [xi, yi] = ARROW[i]
    const [xj, yj] = ARROW[j]
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside
  }
  return inside
}

function inSquare(x, y, radius) {
  const dx = Math.max(radius - x, x - (64 - radius), 0)
  const dy = Math.max(radius - y, y - (64 - radius), 0)
  return Math.hypot(dx, dy) <= radius
}

/** Colour with alpha at a point of the 64 × 64 drawing. A maskable icon has no corners of its own. */
function colour(x, y, maskable) {
  const scale = maskable ? 1.25 : 1
  const u = (x - 32) * scale + 32
  const v = (y - 32) * scale + 32
  if (!maskable && !inSquare(x, y, 15)) return [0, 0, 0, 0]
  if (inArrow(u, v)) return [...WHITE, 255]
  const r = Math.hypot(u - 32, v - 32)
  if (r >= 17 && r <= 21) return [...RING, 255]
  return [...PETROL, 255]
}

function pixel(px, py, size, maskable) {
  const sum = [0, 0, 0, 0]
  for (let i = 0; i < 16; i++) {
    const x = ((px + ((i % 4) + 0.5) / 4) * 64) / size
    const y = ((py + (Math.floor(i / 4) + 0.5) / 4) * 64) / size
    const [r, g, b, a] = colour(x, y, maskable)
    sum[0] += r * a
    sum[1] += g * a
    sum[2] += b * a
    sum[3] += a
  }
  const a = sum[3]
  return a === 0 ? [0, 0, 0, 0] : [sum[0] / a, sum[1] / a, sum[2] / a, a / 16].map(Math.round)
}

function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const out = Buffer.alloc(body.length + 8)
  out.writeUInt32BE(data.length)
  body.copy(out, 4)
  out.writeUInt32BE(crc32(body), body.length + 4)
  return out
}

function png(size, maskable) {
  const rows = Buffer.alloc(size * (size * 4 + 1))
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++)
      rows.set(pixel(x, y, size, maskable), y * (size * 4 + 1) + 1 + x * 4)
  const head = Buffer.alloc(13)
  head.writeUInt32BE(size, 0)
  head.writeUInt32BE(size, 4)
  head.set([8, 6, 0, 0, 0], 8)
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
    chunk('IHDR', head),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

for (const [name, size, maskable] of [
  ['icon-192.png', 192, false],
  ['icon-512.png', 512, false],
  ['icon-maskable-512.png', 512, true],
  ['apple-touch-icon.png', 180, true],
])
  writeFileSync(new URL(`../public/${name}`, import.meta.url), png(size, maskable))
