import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { textOf, trackedFiles } from './tracked-files.ts'

const files = trackedFiles()
const code = files.filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
const source = code.filter((path) => path.startsWith('src/'))

/** `export` lines that need a docstring and have none; the second and later overloads share the first one's. */
function undocumented(text: string): string[] {
  const lines = text.split('\n')
  const missing: string[] = []
  let previous = ''
  for (const [index, line] of lines.entries()) {
    const name = /^export (?:async )?(?:abstract )?(?:function\*?|class|const) (\w+)/.exec(line)?.[1]
    if (name === undefined) continue
    let above = index - 1
    while (above >= 0 && /^\s*\/\/ (?:oxlint|@ts)-/.test(lines[above]!)) above--
    if (name !== previous && !lines[above]?.trimEnd().endsWith('*/')) missing.push(name)
    previous = name
  }
  return missing
}

describe('the files of the house', () => {
  test('are there to be checked', () => {
    expect(source.length).toBeGreaterThan(50)
  })

  test('have names in kebab-case that say what is in them', () => {
    const kebab = /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9-]+)*\.ts$/
    const vague = /(?:^|[/-])(?:utils?|helpers?|common|managers?|misc)(?:[-./]|$)/
    expect(code.filter((path) => !kebab.test(basename(path)) || vague.test(path))).toEqual([])
  })

  test('are short, tests aside, or say in their head comment why they are not', () => {
    const long = code.filter((path) => !path.endsWith('.test.ts') && textOf(path).split('\n').length > 401)
    expect(long.filter((path) => !/^(?:\/\/|\/\*)/.test(textOf(path)))).toEqual([])
  })

  test('document every exported function, class and constant of src/', () => {
    const missing = source.flatMap((path) => undocumented(textOf(path)).map((name) => `${path}: ${name}`))
    expect(missing).toEqual([])
  })

  test('leave nothing to be done later', () => {
    // Spelled so that this file does not find itself.
    const later = /\b(?:TO[D]O|FIX[M]E|XX[X])\b/
    expect(code.filter((path) => later.test(textOf(path)))).toEqual([])
  })

  test('name no path of one machine, no package registry and no place outside the checkout', () => {
    const forbidden = [
      ...['work', 'root', 'home/[a-z]+'].map((folder) => new RegExp(`(?<![\\w.)}\\]*-])/${folder}/`)),
      /\.\.\/sha[r]ed\/|(?<![\w.)}\]*-])\/tmp\/[a-z]/,
      /registry\.[a-z]+\.(?:org|com)|npm[m]irror|deb\.[d]ebian/,
    ]
    const text = files.filter((path) => !/\.(?:png|jpg|ico|woff2?|gz|tgz)$/.test(path))
    const found = text.filter((path) => forbidden.some((pattern) => pattern.test(textOf(path))))
    expect(found).toEqual([])
  })

  test('lock packages by version and checksum, not by the address of a registry', () => {
    for (const path of files.filter((file) => basename(file) === 'package-lock.json')) {
      const lock = JSON.parse(textOf(path)) as { packages: Record<string, { resolved?: string; link?: boolean }> }
      const addressed = Object.entries(lock.packages).filter(([, entry]) => entry.resolved?.includes('://'))
      expect(addressed, path).toEqual([])
    }
  })
})
