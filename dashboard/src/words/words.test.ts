import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeFormat } from './format'

type Tree = { [key: string]: string | Tree }
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`./${name}.json`, import.meta.url), 'utf8')) as Tree

function flat(tree: Tree, above = ''): Map<string, string> {
  const all = new Map<string, string>()
  for (const [key, value] of Object.entries(tree)) {
    const path = above ? `${above}.${key}` : key
    if (typeof value === 'string') all.set(path, value)
    else for (const [k, v] of flat(value, path)) all.set(k, v)
  }
  return all
}

const plural = /_(zero|one|two|few|many|other)$/
const stem = (key: string) => key.replace(plural, '')
const placeholders = (text: string) => [...text.matchAll(/{{(\w+)}}/g)].map((m) => m[1]).sort()

const fr = flat(read('fr'))
const en = flat(read('en'))

describe('words', () => {
  it('has the same keys in both languages', () => {
    const keys = (words: Map<string, string>) => [...new Set([...words.keys()].map(stem))].sort()
    expect(keys(fr)).toEqual(keys(en))
  })

  it('has the same placeholders in both languages', () => {
    const by = (words: Map<string, string>) => {
      const found: Record<string, (string | undefined)[]> = {}
      for (const [key, text] of words) found[stem(key)] = placeholders(text)
      return found
    }
    expect(by(fr)).toEqual(by(en))
  })

  it('has every plural form its language asks for', () => {
    for (const [language, words] of [
      ['fr', fr],
      ['en', en],
    ] as const) {
      const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories
      const counted = new Set([...words.keys()].filter((k) => plural.test(k)).map(stem))
      for (const key of counted)
        for (const form of forms) expect(words.has(`${key}_${form}`), `${key}_${form}`).toBe(true)
    }
  })

  it('leaves no text empty', () => {
    for (const words of [fr, en])
      for (const [key, text] of words) expect(text.trim(), key).not.toBe('')
  })

  it('holds every fixed key the code asks for', () => {
    const sources = (folder: string): string[] =>
      readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory()
          ? sources(join(folder, entry.name))
          : /(?<!\.test)\.tsx?$/.test(entry.name)
            ? [join(folder, entry.name)]
            : [],
      )
    const known = new Set([...fr.keys()].map(stem))
    const root = new URL('..', import.meta.url).pathname
    for (const file of sources(root))
      for (const [, key] of readFileSync(file, 'utf8').matchAll(/\bt\('([\w.]+)'/g))
        expect(known.has(key as string), `${key} in ${file}`).toBe(true)
  })
})

describe('ages', () => {
  it('are told in the largest unit that tells enough', () => {
    const { ago } = makeFormat('en')
    expect(ago(3_400)).toBe('3 sec ago')
    expect(ago(119_000)).toBe('119 sec ago')
    expect(ago(185_000)).toBe('3 min ago')
    expect(ago(3 * 3_600_000)).toBe('3 hr ago')
    expect(makeFormat('fr').ago(3_400).replace(/\s/gu, ' ')).toBe('il y a 3 s')
  })
})
