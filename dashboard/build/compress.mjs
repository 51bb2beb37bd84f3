// Writes a .br and a .gz twin beside every file of the build that is worth it.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const TEXT = new Set(['.html', '.js', '.mjs', '.css', '.json', '.svg', '.webmanifest', '.txt'])
const WORTH_BYTES = 256

export function files(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)],
  )
}

export function compress(folder) {
  for (const file of files(folder)) {
    if (!TEXT.has(extname(file)) || statSync(file).size < WORTH_BYTES) continue
    const data = readFileSync(file)
    writeFileSync(`${file}.gz`, gzipSync(data, { level: 9 }))
    const params = {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_SIZE_HINT]: data.length,
    }
    writeFileSync(`${file}.br`, brotliCompressSync(data, { params }))
  }
}
