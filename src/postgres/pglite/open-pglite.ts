import { mkdir } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { importPeer } from '../../core/peer.ts'
import { lockFolder, type FolderLock } from './folder-lock.ts'
import { PgliteStream, type ProtocolEngine } from './pglite-stream.ts'
import { unheldTimers } from './unheld-timers.ts'

interface PgliteEngine extends ProtocolEngine {
  readonly waitReady: Promise<void>
  query<T>(text: string): Promise<{ rows: T[] }>
  close(): Promise<void>
}

interface PgliteModule {
  readonly PGlite: {
    create(options: { readonly dataDir: string | undefined; readonly extensions: object }): Promise<PgliteEngine>
  }
}

/** PGlite, opened: a stream for each connection of `pg`, of which there must be only one at a time. */
export interface OpenedPglite {
  stream(): PgliteStream
  close(): Promise<void>
}

/**
 * Opens `pglite:PATH` (the folder is made when missing) or `pglite:memory`.
 *
 * @throws PLIMSOLL_PEER_MISSING, PLIMSOLL_DATABASE_LOCKED when another process has the folder open.
 */
export async function openPglite(url: string): Promise<OpenedPglite> {
  const { PGlite } = await importPeer<PgliteModule>('@electric-sql/pglite', 'The embedded database')
  const path = url.slice('pglite:'.length).replace(/^\/\/(?=\/)/, '')
  let lock: FolderLock | undefined
  let folder: string | undefined
  if (path !== 'memory') {
    folder = resolve(path)
    await mkdir(dirname(folder), { recursive: true })
    lock = await lockFolder(folder)
  }
  try {
    const engine = await PGlite.create({ dataDir: folder, extensions: { unheldTimers } })
    // One session for everybody: set here what other engines are told when a session starts.
    await engine.query(`set time zone 'UTC'`)
    await engine.query(`set datestyle to 'ISO, MDY'`)
    await engine.query(`set intervalstyle to 'postgres'`)
    const { rows } = await engine.query<{ server_version: string }>('show server_version')
    return {
      stream: () => new PgliteStream(engine, rows[0]!.server_version),
      close: async () => {
        await engine.close()
        await lock?.release()
      },
    }
  } catch (error) {
    await lock?.release()
    throw error
  }
}
