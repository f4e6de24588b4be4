import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { delimiter, join } from 'node:path'

const bench = join(import.meta.dirname, '..')
const root = join(bench, '..')

/**
 * Makes the bench runnable: installs its dependencies when they are missing or older than the lockfile, generates Prisma's
 * client where the suite needs it, builds Plimsoll and links it in as the package `plimsoll`. drizzle-orm and fastify come from
 * the root, so that Plimsoll and the contestants use the same copies.
 */
export function prepare({ prisma }: { readonly prisma: boolean }): void {
  const installed = join(bench, 'node_modules/.package-lock.json')
  if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(join(bench, 'package-lock.json')).mtimeMs) {
    run('npm', ['ci', '--no-audit', '--no-fund'], bench)
  }
  if (prisma) generatePrisma()
  run('npm', ['run', '--silent', 'build'], root)
  const link = join(bench, 'node_modules/plimsoll')
  rmSync(link, { force: true })
  symlinkSync('../..', link)
}

function generatePrisma(): void {
  // `prisma generate` would download an engine for migrations that it never starts; naming any executable keeps it offline.
  const offline = {
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    CHECKPOINT_DISABLE: '1',
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
  }
  run(join(bench, 'node_modules/.bin/prisma'), ['generate', '--schema', 'schema/blog.prisma'], bench, offline)
}

function run(command: string, args: readonly string[], cwd: string, env: Record<string, string> = {}): void {
  const path = [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter)
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env, PATH: path },
    encoding: 'utf8',
  })
  if (status === 0) return
  throw new Error(`${command} ${args.join(' ')} failed:\n${error?.message ?? `${stdout}\n${stderr}`}`)
}
