import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { packageBuilt } from '../../e2e/filled-studio.ts'
import { copyPgliteTemplate } from '../../servers/pglite-template.ts'
import { readSnippets, type PageProgram } from './snippets.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const bin = join(root, 'node_modules/.bin')
const run = promisify(execFile)

// How many programs run at a time: each keeps a processor busy while it loads.
vi.setConfig({ maxConcurrency: 3 })

/** Written by hand, and with programs in them. */
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
const programs = new Map(pages.map((page) => [page, readSnippets(readFileSync(join(root, page), 'utf8'))] as const))
const start = programs.get('docs/getting-started.md')!

let folder = ''

/** Runs a program as its reader would; resolves with what it printed. */
async function node(cwd: string, file: string): Promise<string[]> {
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, DATABASE_URL: '', PORT: '0', NO_COLOR: '1' }
  const { stdout } = await run(join(bin, 'node'), [file], { cwd, env, timeout: 60_000 })
  return stdout.split('\n').filter((line) => line !== '')
}

/** Writes the programs of a page, and those of Getting started that it goes on from. */
function write(into: string, { files }: PageProgram): void {
  mkdirSync(into, { recursive: true })
  for (const [name, text] of files.has('schema.ts') ? files : [...start.files, ...files]) {
    writeFileSync(join(into, name), text)
  }
}

/** Makes migrations, and a new database where the programs look for theirs: making one takes PGlite seconds. */
async function prepare(cwd: string): Promise<void> {
  copyPgliteTemplate(join(cwd, '.plimsoll/db'))
  const options = ['generate', '--dialect', 'postgresql', '--schema', './schema.ts', '--out', './migrations']
  await run(join(bin, 'drizzle-kit'), options, { cwd, env: { ...process.env, PATH: `${bin}:${process.env['PATH']}` } })
}

beforeAll(async () => {
  await packageBuilt()
  // Inside the checkout, so that the programs find the packages they import, and ours among them.
  mkdirSync(join(root, '.plimsoll'), { recursive: true })
  folder = mkdtempSync(join(root, '.plimsoll/docs-'))
  for (const [page, program] of programs) write(join(folder, nameOf(page)), program)
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../../tsconfig.json', include: ['**/*.ts'] }))
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

function nameOf(page: string): string {
  return page
    .replace(/^docs\//, '')
    .replace(/\.md$/, '')
    .toLowerCase()
}

describe('the documentation', () => {
  test('type-checks', async () => {
    const checked = await run(join(bin, 'tsc'), ['--noEmit', '-p', folder], { cwd: folder }).catch(
      (error: { stdout: string }) => error,
    )
    expect(checked.stdout).toBe('')
  })

  describe('prints what it says', () => {
    beforeAll(async () => {
      const cwd = join(folder, 'getting-started')
      await prepare(cwd)
      expect(await node(cwd, 'seed.ts')).toEqual(start.prints.get('seed.ts'))
    })

    test.concurrent('in README.md', async () => {
      const cwd = join(folder, 'readme')
      await prepare(cwd)
      const app = join(cwd, 'app.ts')
      // A server goes on for ever; the program ends where it would begin to listen.
      writeFileSync(app, readFileSync(app, 'utf8').replace(/^await app\.listen.*$/m, 'await app.close()'))
      expect(await node(cwd, 'app.ts')).toEqual(programs.get('README.md')!.prints.get('app.ts'))
    })

    const told = [...programs].filter(([page]) => page !== 'README.md' && page !== 'docs/getting-started.md')
    const files = told
      .flatMap(([page, { prints }]) => [...prints].map(([file, lines]) => [page, file, lines] as const))
      // An application goes on until it is closed, which is for those who import it.
      .filter(([, file]) => file !== 'app.ts')

    test.concurrent.each(files)('in %s, %s', async (page, file, lines) => {
      // A folder for each: two programs cannot have one database open.
      const cwd = join(folder, 'runs', nameOf(page), file)
      write(cwd, programs.get(page)!)
      for (const made of ['migrations', '.plimsoll']) {
        cpSync(join(folder, 'getting-started', made), join(cwd, made), { recursive: true, force: true })
      }
      expect(await node(cwd, file)).toEqual(lines)
    })
  })

  test('of getting started serves the API it describes', async () => {
    const cwd = join(folder, 'getting-started')
    const server = readFileSync(join(cwd, 'server.ts'), 'utf8')
    const paths = [...start.markdown.matchAll(/^\| `(\/[^`]*)` +\|/gm)].map((match) => match[1]!)
    const asked = `\nfor (const path of ${JSON.stringify(paths)}) console.log(path, (await app.fastify.inject(path)).statusCode)\nawait app.close()\n`
    writeFileSync(join(cwd, 'asked.ts'), server + asked)
    expect(await node(cwd, 'asked.ts')).toEqual(paths.map((path) => `${path} 200`))
  })
})
