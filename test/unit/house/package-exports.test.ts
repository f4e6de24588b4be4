import { describe, expect, test } from 'vitest'
import { textOf, trackedFiles } from './tracked-files.ts'

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

const manifest = JSON.parse(textOf('package.json')) as Manifest

/** Folders with an index.ts of their own that is for the floors above them, not for users. */
const internal = new Set(['outbox', 'postgres', 'schema'])

describe('package.json', () => {
  test('exports one subpath for each public index.ts, and nothing else', () => {
    const folders = trackedFiles()
      .map((path) => /^src\/([^/]+)\/index\.ts$/.exec(path)?.[1])
      .filter((folder) => folder !== undefined && !internal.has(folder))
    const expected = Object.fromEntries(
      folders.map((folder) => [
        folder === 'app' ? '.' : `./${folder}`,
        { types: `./dist/${folder}/index.d.ts`, default: `./dist/${folder}/index.js` },
      ]),
    )
    expect(manifest.exports).toEqual({ ...expected, './package.json': './package.json' })
  })

  test('has no other index.ts inside src/', () => {
    const barrels = trackedFiles().filter((path) => /^src\/[^/]+\/.+\/index\.ts$/.test(path))
    expect(barrels).toEqual([])
  })

  test('pins every dependency to one version', () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))).toEqual([])
  })

  test('has a line in docs/decisions/ for every runtime dependency', () => {
    const decision = textOf('docs/decisions/0001-runtime-dependencies.md')
    expect(Object.keys(manifest.dependencies).filter((name) => !decision.includes(`\`${name}\``))).toEqual([])
  })
})
