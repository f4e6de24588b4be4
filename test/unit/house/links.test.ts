import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root, textOf, trackedFiles } from './tracked-files.ts'

/** The headings of a page as the fragments that lead to them. */
function fragmentsOf(page: string): Set<string> {
  const headings = [...textOf(page).matchAll(/^#+ (.*)$/gm)].map((match) => match[1]!)
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  )
}

describe('the links of the documentation', () => {
  const pages = trackedFiles().filter((path) => path.endsWith('.md'))

  test.each(pages)('in %s lead somewhere', (page) => {
    const targets = [...textOf(page).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!)
    const dead = targets.filter((target) => {
      if (/^[a-z]+:/.test(target)) return false
      const [path = '', fragment] = target.split('#')
      const file = path === '' ? page : normalize(join(dirname(page), path))
      return !existsSync(join(root, file)) || (fragment !== undefined && !fragmentsOf(file).has(fragment))
    })
    expect(dead).toEqual([])
  })
})
