import { randomUUID } from 'node:crypto'
import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { rmSync } from 'node:fs'
import { PlimsollError } from '../../core/errors.ts'

/** The right of one process to a folder of PGlite. */
export interface FolderLock {
  release(): Promise<void>
}

const held = new Set<string>()

/**
 * Takes the lock of a folder: a file beside it that names this process. A file left by a process that is gone is taken
 * over.
 *
 * @throws PLIMSOLL_DATABASE_LOCKED naming the process that holds it.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const file = `${folder}.lock`
  if (held.has(file)) throw takenError(folder, process.pid)
  held.add(file)
  try {
    await takeFile(file, folder)
  } catch (error) {
    held.delete(file)
    throw error
  }
  const removeAtExit = (): void => rmSync(file, { force: true })
  process.once('exit', removeAtExit)
  return {
    async release() {
      process.off('exit', removeAtExit)
      held.delete(file)
      await rm(file, { force: true })
    },
  }
}

async function takeFile(file: string, folder: string): Promise<void> {
  const mine = `${process.pid} ${await startOf(process.pid)}`
  if (await create(file, mine)) return
  const holder = await holderOf(file)
  if (await alive(holder)) throw takenError(folder, holder.pid)
  await rm(file, { force: true })
  if (!(await create(file, mine))) throw takenError(folder, (await holderOf(file)).pid)
  // Another process may have found the same file of a dead one, and have removed ours for it a moment later.
  await new Promise((resolve) => setTimeout(resolve, 100))
  const now = await holderOf(file)
  if (now.pid !== process.pid) throw takenError(folder, now.pid)
}

/** Makes a file that is not there yet, with its text in it from the first moment; false when it is there. */
async function create(file: string, text: string): Promise<boolean> {
  const own = `${file}.${process.pid}.${randomUUID()}`
  await writeFile(own, text)
  try {
    await link(own, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(own, { force: true })
  }
}

interface Holder {
  readonly pid: number
  /** When it started, as the system counts; '' where it does not tell. */
  readonly start: string
}

async function holderOf(file: string): Promise<Holder> {
  const [pid = '', start = ''] = (await readFile(file, 'utf8').catch(() => '')).split(' ')
  return { pid: Number(pid), start }
}

// A number alone is not enough: after a crash another process may have got it, in a container even this one.
async function alive({ pid, start }: Holder): Promise<boolean> {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  return start === '' || start === (await startOf(pid))
}

// The 22nd field of /proc/PID/stat is when the process started; systems without it fall back to the number alone.
async function startOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}

function takenError(folder: string, pid: number): PlimsollError {
  return new PlimsollError(
    'PLIMSOLL_DATABASE_LOCKED',
    `The PGlite folder ${folder} is open in process ${pid}; one process at a time can use it.`,
    { details: { folder, pid } },
  )
}
