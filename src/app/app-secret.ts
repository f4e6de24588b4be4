import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { PlimsollError } from '../core/errors.ts'
import { optionOrEnvironment } from './environment.ts'

const file = '.plimsoll/secret'

/**
 * The secret that signs cursors: the option, else PLIMSOLL_SECRET, else a random one that is kept in `.plimsoll/secret`. All
 * processes of one service need the same.
 *
 * @throws PLIMSOLL_OPTION_INVALID when there is none and the file cannot be written.
 */
export async function appSecret(secret: string | undefined): Promise<string> {
  const given = optionOrEnvironment(secret, 'PLIMSOLL_SECRET')
  if (given !== undefined && given !== '') return given
  try {
    return await keptSecret()
  } catch (cause) {
    throw new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `PLIMSOLL_SECRET is not set, and a random one cannot be kept in ${file}: ${(cause as Error).message}. ` +
        `Set PLIMSOLL_SECRET to a long random text, the same for every process.`,
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
