import { describe, expect, test } from 'vitest'
import { textOf, trackedFiles } from './tracked-files.ts'

describe('the map of the house', () => {
  const map = textOf('ARCHITECTURE.md')

  test('names no file or folder that is not there', () => {
    const files = trackedFiles().filter((path) => path.startsWith('src/') || path.startsWith('examples/'))
    const named = [...map.matchAll(/`([\w-]+(?:\/[\w-]+)*(?:\.ts|\/))`/g)].map(([, name]) => name!)
    expect(named.length).toBeGreaterThan(15)
    const missing = named.filter((name) => !files.some((path) => `/${path}`.includes(`/${name}`)))
    expect(missing).toEqual([])
  })

  test('names every folder of src/', () => {
    const folders = new Set(trackedFiles().flatMap((path) => /^src\/\w+(?=\/)/.exec(path) ?? []))
    expect([...folders].filter((folder) => !map.includes(`\`${folder}\``))).toEqual([])
    expect(folders.size).toBeGreaterThan(4)
  })
})
