import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')

/** What the compiler said about the files of one folder. */
export interface Compilation {
  /** The messages, each under the file and the line that it is about. */
  readonly errors: readonly { readonly file: string; readonly line: number; readonly message: string }[]
  /** How many types were instantiated: the measure of the work, the same on every machine. */
  readonly instantiations: number
}

/**
 * Compiles source texts with the project's own compiler and settings in a temporary folder, from which `plimsoll/…` is the
 * project's `src/…`.
 */
export async function compile(files: Readonly<Record<string, string>>): Promise<Compilation> {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-types-'))
  try {
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    await mkdir(join(folder, 'cases'))
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, 'cases', name), text)
    const config = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noUnusedLocals: false,
        rewriteRelativeImportExtensions: false,
        paths: { 'plimsoll/*': [join(root, 'src/*')] },
      },
      include: ['cases'],
    }
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(config))
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    return read(await run(join(folder, 'tsconfig.json')))
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** The compiler ends with an error code when there are errors, so only its output counts. */
function run(project: string): Promise<string> {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const flags = ['--project', project, '--extendedDiagnostics', '--pretty', 'false']
  return new Promise((resolve) => {
    execFile(process.execPath, [compiler, ...flags], { maxBuffer: 1 << 26 }, (_error, output) => resolve(output))
  })
}

function read(output: string): Compilation {
  const instantiations = /^Instantiations:\s+(\d+)/m.exec(output)
  if (!instantiations) throw new Error(`The compiler did not run: ${output}`)
  const found = output.matchAll(/^(?:.*\/)?([\w.-]+)\((\d+),\d+\): error TS\d+: (.*(?:\n .*)*)/gm)
  return {
    errors: [...found].map(([, file, line, message]) => ({ file: file!, line: Number(line), message: message! })),
    instantiations: Number(instantiations[1]),
  }
}
