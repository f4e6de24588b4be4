import { expect } from 'vitest'
import { bytesAt, keysOf, refused, sorted, unique, type FileCase } from './file-store.ts'

/** Names that some protocol, file system or encoding could stumble over. */
const oddNames: readonly string[] = [
  'a',
  'a/b',
  'a/b/c',
  'a-b',
  'a.b',
  'a0',
  'A',
  'with space',
  ' spaces ',
  'plus+plus',
  '100%',
  '%2F',
  '%2e%2e',
  '%',
  'a%.json',
  'b%-',
  'b%-/c',
  '...',
  '.hidden',
  'x/.../y',
  'question?mark#hash',
  'a&b=c;d',
  `quote'"quote`,
  '<xml>&amp;',
  '[brackets]{braces}|~^`',
  'colon:semi;comma,at@dollar$',
  'star*',
  'ünïcödé',
  'u\u0308',
  'ü',
  '日本語 🚢',
  '\uFFFD',
  '\u{1F6A2}',
  'n'.repeat(255),
  'n'.repeat(300),
  `${'n'.repeat(80)}/x`,
  `${'n'.repeat(80)}+x`,
  'n'.repeat(80),
  `${'n'.repeat(79)}é/x`,
  '語'.repeat(100),
  'CON',
  'nul.txt',
]

const badKeys: readonly string[] = [
  '',
  '/',
  '/a',
  'a/',
  'a//b',
  '.',
  '..',
  '../a',
  'a/../b',
  'a/..',
  'a/./b',
  'a\\b',
  'a\0b',
  'a\nb',
  'a\u007Fb',
  'a\u0085b',
  'a\uFFFEb',
  'lone \uD83D surrogate',
  'lone \uDEA2 surrogate',
  'x'.repeat(901),
  'ü'.repeat(451),
]

/** Any key names one object, and lists are in the order of keys. */
export const keyCases: readonly FileCase[] = [
  {
    name: 'keeps objects under odd names apart, and lists them in the order of their bytes',
    async run({ open }) {
      await using store = await open()
      const folder = unique('')
      const keys = [...new Set(oddNames)].map((name) => `${folder}${name}`)
      await Promise.all(keys.map((key) => store.put(key, Buffer.from(key), { metadata: { name: 'x' } })))
      for (const key of keys) {
        expect((await bytesAt(store, key)).toString(), key).toBe(key)
        expect(await store.head(key), key).toMatchObject({ key, size: Buffer.byteLength(key) })
      }
      for (const size of [1000, 7, 2]) expect(await keysOf(store, folder, size)).toEqual(sorted(keys))
      for (const prefix of ['a', 'a/', 'a/b', '%', 'n'.repeat(79), 'n'.repeat(80), 'n'.repeat(81), '日', 'none', ' ']) {
        const begin = keys.filter((key) => key.startsWith(folder + prefix))
        expect(await keysOf(store, folder + prefix, 3), prefix).toEqual(sorted(begin))
      }
      await store.delete(keys)
      expect(await keysOf(store, folder)).toEqual([])
    },
  },
  {
    name: 'says in a list what it says of each object',
    async run({ open }) {
      await using store = await open()
      const folder = unique('')
      for (const name of ['one', 'two']) await store.put(`${folder}${name}`, Buffer.from(name), { type: 'a/b' })
      const { objects, next } = await store.list(folder)
      expect(next).toBeUndefined()
      for (const object of objects) expect(await store.head(object.key)).toMatchObject(object)
      expect(objects.map(({ key }) => key)).toEqual([`${folder}one`, `${folder}two`])
      expect((await store.list(folder, { size: 2 })).next).toBeUndefined()
      expect((await store.list(folder, { after: `${folder}one` })).objects.map(({ key }) => key)).toEqual([
        `${folder}two`,
      ])
      expect((await store.list(folder, { after: `${folder}other` })).objects).toHaveLength(1)
      await refused(store.list(folder, { size: 0 }), 'PLIMSOLL_OPTION_INVALID')
      await refused(store.list(folder, { size: 1001 }), 'PLIMSOLL_OPTION_INVALID')
    },
  },
  {
    name: 'takes the longest key that there may be',
    async run({ open }) {
      await using store = await open()
      for (const key of [unique('').padEnd(900, 'k'), unique('').padEnd(899, 'd/').padEnd(900, 'e'), 'ü'.repeat(450)]) {
        expect(Buffer.byteLength(key)).toBe(900)
        await store.put(key, Buffer.from('x'))
        expect((await bytesAt(store, key)).toString()).toBe('x')
        expect((await store.list(key)).objects).toHaveLength(1)
        await store.delete([key])
        expect(await store.head(key)).toBeUndefined()
      }
    },
  },
  {
    name: 'refuses keys that are none, in every call',
    async run({ open }) {
      await using store = await open()
      const good = unique()
      await store.put(good, Buffer.from('x'))
      for (const key of badKeys) {
        for (const call of [
          () => store.put(key, Buffer.from('x')),
          () => store.get(key),
          () => store.head(key),
          () => store.copy(good, key),
          () => store.copy(key, good),
          () => store.compose([good], key),
          () => store.compose([good, key], good),
          () => store.delete([good, key]),
          () => store.uploads.create(key),
          () => store.uploads.parts({ key, id: 'none' }),
          () => store.uploads.complete({ key, id: 'none' }, []),
        ]) {
          await refused(call(), 'PLIMSOLL_FILE_KEY_INVALID')
        }
      }
      await refused(store.list('lone \uD83D surrogate'), 'PLIMSOLL_FILE_KEY_INVALID')
      await refused(store.list('', { after: 'a//b' }), 'PLIMSOLL_FILE_KEY_INVALID')
      expect((await bytesAt(store, good)).toString(), 'a refused call does nothing').toBe('x')
    },
  },
  {
    name: 'removes many at once, whether they are there or not',
    async run({ open }) {
      await using store = await open()
      const folder = unique('')
      const there = Array.from({ length: 30 }, (_, n) => `${folder}${n}/x<&>"'`)
      await Promise.all(there.map((key) => store.put(key, Buffer.from('x'))))
      const kept = `${folder}kept`
      await store.put(kept, Buffer.from('x'))
      const missing = Array.from({ length: 1100 }, (_, n) => `${folder}missing/${n}`)
      await store.delete([...there.slice(0, 15), ...missing, ...there.slice(15)])
      expect(await keysOf(store, folder)).toEqual([kept])
      await store.delete([])
    },
  },
]
