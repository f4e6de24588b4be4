import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const folders: string[] = []

interface Finding {
  readonly code: string
  readonly filename: string
}

interface Report {
  readonly number_of_files: number
  readonly diagnostics: readonly Finding[]
}

/** Lints a tree of files with the house's own configuration. */
function lint(files: Readonly<Record<string, string>>): Report {
  const parent = mkdtempSync(join(tmpdir(), 'plimsoll-lint-'))
  folders.push(parent)
  // Above the linted folder, where modules are still found, but not walked into.
  symlinkSync(join(root, 'node_modules'), join(parent, 'node_modules'))
  const folder = join(parent, 'house')
  mkdirSync(folder)
  cpSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'))
  cpSync(join(root, 'tsconfig.json'), join(folder, 'tsconfig.json'))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
  const run = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['--format', 'json'], { cwd: folder, encoding: 'utf8' })
  return JSON.parse(run.stdout) as Report
}

/** The files, sorted, in which `rule` found something. */
function found(report: Report, rule: string): string[] {
  const files = report.diagnostics.filter((finding) => finding.code.includes(rule)).map((finding) => finding.filename)
  return [...new Set(files)].toSorted()
}

const thing = 'export const thing: number = 1\n'

function importing(specifier: string, name = 'thing'): string {
  return `import { ${name} } from '${specifier}'\nexport const copy: unknown = ${name}\n`
}

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

describe('the linter', () => {
  test('sees the modules of src/', () => {
    const run = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['--debug=files'], { cwd: root, encoding: 'utf8' })
    expect(run.stdout.match(/^src\/.+\.ts$/gm)!.length).toBeGreaterThan(50)
  })

  test('accepts imports that point down', () => {
    const report = lint({
      'src/core/thing.ts': thing,
      'src/schema/thing.ts': importing('../core/thing.ts'),
      'src/db/plan/thing.ts': importing('../../schema/thing.ts', 'copy'),
      'src/http/thing.ts': importing('../db/plan/thing.ts', 'copy'),
      'src/app/thing.ts': importing('../http/thing.ts', 'copy'),
    })
    expect(report.number_of_files).toBe(5)
    expect(report.diagnostics).toEqual([])
  })

  describe('reports', () => {
    const cases = [
      ['core', '../postgres/thing.ts'],
      ['core', '../db/thing.ts'],
      ['postgres', '../schema/thing.ts'],
      ['schema', '../postgres/thing.ts'],
      ['schema', '../db/thing.ts'],
      ['db', '../http/thing.ts'],
      ['db', '../cache/thing.ts'],
      ['cache', '../db/thing.ts'],
      ['jobs', '../outbox/thing.ts'],
      ['advisor', '../files/thing.ts'],
      ['cdn', '../files/thing.ts'],
      ['http', '../app/thing.ts'],
      ['app', '../cli/thing.ts'],
      ['http', '../../test/thing.ts'],
      ['db', '../../bench/thing.ts'],
      ['app', '../../examples/thing.ts'],
      ['core', '../../scripts/thing.ts'],
      ['http', '../../src/db/thing.ts'],
      ['http', 'plimsoll/db'],
      ['db', 'pg'],
      ['http', 'pg-protocol/dist/messages.js'],
      ['app', '@electric-sql/pglite'],
      ['db', 'fastify'],
      ['files', '@aws-sdk/client-s3'],
      ['app', '@google-cloud/storage'],
      ['cache', './drivers/redis.ts'],
      ['jobs', '../cache/drivers/redis.ts'],
    ].map(([floor, specifier], n) => ({ floor, specifier: specifier!, path: `src/${floor}/importer-${n}.ts` }))
    let report: Report
    // All of them at once: most of what a linter does it does when it starts.
    beforeAll(() => {
      report = lint(Object.fromEntries(cases.map(({ path, specifier }) => [path, importing(specifier)])))
    })

    test.each(cases)('src/$floor importing $specifier', ({ path }) => {
      expect(found(report, 'no-restricted-imports')).toContain(path)
    })
  })

  test('reports a forbidden import from a folder further down, of a type, and as a re-export', () => {
    const report = lint({
      'src/db/plan/deep/importer.ts': importing('../../../http/thing.ts'),
      'src/core/types.ts': "import type { Thing } from '../db/thing.ts'\nexport type Copy = Thing\n",
      'src/schema/again.ts': "export { thing } from '../db/thing.ts'\n",
    })
    expect(found(report, 'no-restricted-imports')).toEqual([
      'src/core/types.ts',
      'src/db/plan/deep/importer.ts',
      'src/schema/again.ts',
    ])
  })

  test('lets only the adapter read the relations of Drizzle', () => {
    const text = importing('drizzle-orm', 'One')
    const report = lint({
      'src/db/importer.ts': text,
      'src/schema/importer.ts': text,
      'src/schema/drizzle-adapter.ts': text,
      'src/db/types.ts': "import type { One } from 'drizzle-orm'\nexport type Copy = One<string>\n",
    })
    expect(found(report, 'no-restricted-imports')).toEqual(['src/db/importer.ts', 'src/schema/importer.ts'])
  })

  test('lets a driver import its contract and its client, but no other pillar', () => {
    const report = lint({
      'src/cache/contract.ts': thing,
      'src/cache/drivers/good.ts': importing('../contract.ts'),
      'src/cache/drivers/bad.ts': importing('../../jobs/contract.ts'),
    })
    expect(found(report, 'no-restricted-imports')).toEqual(['src/cache/drivers/bad.ts'])
  })

  test('reports a cycle', () => {
    const report = lint({
      'src/db/one.ts': "import { two } from './two.ts'\nexport function one(): unknown {\n  return two\n}\n",
      'src/db/two.ts': "import { three } from './three.ts'\nexport function two(): unknown {\n  return three\n}\n",
      'src/db/three.ts': "import { one } from './one.ts'\nexport function three(): unknown {\n  return one\n}\n",
    })
    expect(found(report, 'no-cycle')).toEqual(['src/db/one.ts', 'src/db/three.ts', 'src/db/two.ts'])
  })

  test('reports a promise that nobody awaits, which takes types to see', () => {
    const report = lint({
      'src/core/forgets.ts':
        'async function later(): Promise<void> {\n  await Promise.resolve()\n}\nexport function forgets(): void {\n  later()\n}\n',
    })
    expect(found(report, 'no-floating-promises')).toEqual(['src/core/forgets.ts'])
  })
})
