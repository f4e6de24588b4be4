import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PlimsollError } from '../core/errors.ts'
import { minSecretLength } from '../db/page/cursor.ts'
import { optionOrEnvironment } from './environment.ts'

const file = '.plimsoll/secret'
const recipe = 'a long random text, such as the output of `openssl rand -base64 32`'

/**
 * The secret that signs cursors: the option, else PLIMSOLL_SECRET, else a random one that is kept in `.plimsoll/secret`. All
 * processes of one service need the same; `shared` says that there may be several, which is worth a warning without one.
 *
 * @throws PLIMSOLL_OPTION_INVALID for one of less than 16 characters, and when there is none and the file cannot be written.
 */
export async function appSecret(secret: string | undefined, { shared }: { shared: boolean }): Promise<string> {
  const given = optionOrEnvironment(secret, 'PLIMSOLL_SECRET')
  if (given !== undefined) {
    if (given.length >= minSecretLength) return given
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `${secret === undefined ? 'PLIMSOLL_SECRET' : "The option 'secret'"} has ${given.length} characters, and whoever guesses it can ` +
        `make cursors; give it at least ${minSecretLength}: ${recipe}.`,
      { details: { option: 'secret', minimum: minSecretLength } },
    )
  }
  try {
    const kept = await keptSecret()
    if (shared) {
      console.error(
        `PLIMSOLL_SECRET is not set: this process signs cursors with a secret of its own, in ${file}, and processes elsewhere ` +
          `will refuse them. Set it to ${recipe}, the same for all of them.`,
      )
    }
    return kept
  } catch (cause) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `PLIMSOLL_SECRET is not set, and a random one cannot be kept in ${file}: ${(cause as Error).message}. ` +
        `Set PLIMSOLL_SECRET to ${recipe}, the same for every process.`,
      { cause, details: { option: 'secret' } },
    )
  }
}

async function keptSecret(): Promise<string> {
  await mkdir(dirname(file), { recursive: true })
  const fresh = randomBytes(32).toString('base64url')
  try {
    // `wx`: of several processes that start at once, one writes and the others read what it wrote.
    await writeFile(file, `${fresh}\n`, { flag: 'wx', mode: 0o600 })
    return fresh
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const kept = (await readFile(file, 'utf8')).trim()
  if (kept.length >= 32) return kept
  throw new Error('the file is there, but holds no secret; delete it')
}
