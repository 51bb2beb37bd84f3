// Sizes a user pays for, gzip -9 in kB of 1024 bytes. The build fails above a limit.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'

export const LIMITS_KB = { entry: 135, css: 15, 'first page': 200, map: 450, everything: 1200 }

const kb = (folder, names) =>
  [...names].reduce((sum, name) => {
    return sum + gzipSync(readFileSync(join(folder, name)), { level: 9 }).length / 1024
  }, 0)

/** A chunk with all it imports at once (not what it may load later). */
function closure(bundle, name, seen = new Set()) {
  const chunk = bundle[name]
  if (!chunk || seen.has(name)) return seen
  seen.add(name)
  for (const next of chunk.imports ?? []) closure(bundle, next, seen)
  return seen
}

function chunkOf(bundle, source) {
  const found = Object.values(bundle).find((c) => c.facadeModuleId?.endsWith(source))
  if (!found) throw new Error(`budget: no chunk for ${source}`)
  return found.fileName
}

function stylesOf(bundle, chunks) {
  return [...chunks].flatMap((name) => [...(bundle[name].viteMetadata?.importedCss ?? [])])
}

const minus = (all, less) => [...all].filter((name) => !less.has(name))

/** `bundle`: what the bundler wrote, by file name; `folder`: where. Answers kB by limit. */
export function sizes(bundle, folder) {
  const names = readdirSync(join(folder, 'assets')).map((name) => `assets/${name}`)
  const asset = (start, end) =>
    names.filter((n) => n.startsWith(`assets/${start}`) && n.endsWith(end))
  const entry = closure(bundle, chunkOf(bundle, 'index.html'))
  const entryCss = stylesOf(bundle, entry)
  const home = closure(bundle, chunkOf(bundle, 'src/pages/home/home.tsx'))
  const homeCss = stylesOf(bundle, minus(home, entry))
  const map = minus(closure(bundle, chunkOf(bundle, 'src/pages/map/map.tsx')), entry)
  const words = asset('fr-', '.json')
  return {
    entry: kb(folder, entry),
    css: kb(folder, entryCss),
    'first page': kb(folder, [
      'index.html',
      ...new Set([...entry, ...entryCss, ...home, ...homeCss, ...words]),
    ]),
    map: kb(folder, [...map, ...asset('maplibre-gl-worker', 'js')]),
    everything: kb(
      folder,
      names.filter((name) => !/\.(br|gz|map)$/.test(name)),
    ),
  }
}

export function check(bundle, folder) {
  const found = sizes(bundle, folder)
  const over = []
  for (const [name, limit] of Object.entries(LIMITS_KB)) {
    const size = found[name]
    console.log(`budget: ${name} ${size.toFixed(1)} of ${limit} kB`)
    if (size > limit) over.push(name)
  }
  if (over.length > 0) throw new Error(`budget: over the limit: ${over.join(', ')}`)
}
