import { mkdtempSync, rmSync } from 'node:fs'
import { link, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { diskStore } from '../../../src/files/drivers/disk/disk-store.ts'
import { openServer, type BenchServer } from '../../harness/postgres-server.ts'
import { stripTypes } from '../../harness/strip-types.ts'
import { startWorker, type Worker } from '../../harness/worker.ts'
import type { DownloadLoad } from './download-load.ts'
import { fileName, type FilesRequest, type FilesServerName } from './protocol.ts'

/** A server that takes part. */
export interface FilesEntrant {
  readonly name: string
  readonly port: number
  readonly worker: Worker<FilesRequest>
}

/** What every workload of the suite works with. */
export class FilesContext implements AsyncDisposable {
  readonly quick: boolean
  /** Where files to be served are, in a folder and in Plimsoll's store: the same bytes on the disk. */
  readonly folder: string
  readonly storeFolder: string
  readonly #chosen: readonly string[] | undefined
  readonly #stack = new AsyncDisposableStack()
  #postgres: Promise<BenchServer> | undefined
  #made = false

  constructor(options: { readonly quick: boolean; readonly contestants: readonly string[] | undefined }) {
    this.quick = options.quick
    this.#chosen = options.contestants
    this.folder = mkdtempSync(join(tmpdir(), 'plimsoll-bench-files-'))
    this.storeFolder = join(this.folder, 'store')
    this.#stack.defer(() => rmSync(this.folder, { recursive: true, force: true }))
  }

  /** The size of the file that is downloaded. */
  get size(): number {
    return this.quick ? 256 * 1024 ** 2 : 1024 ** 3
  }

  /** Those of `names` that take part; the reference always does. */
  choose(names: readonly string[], reference: string): readonly string[] {
    return names.filter((name) => name === reference || (this.#chosen?.includes(name) ?? true))
  }

  /** Makes the file that is downloaded. */
  async makeFile(): Promise<void> {
    if (this.#made) return
    this.#made = true
    const path = join(this.folder, fileName)
    const file = await open(path, 'w')
    const chunk = Buffer.alloc(1024 ** 2, 'plimsoll')
    for (let at = 0; at < this.size; at += chunk.length) await file.write(chunk)
    await file.close()
    await using store = diskStore({ folder: this.storeFolder })
    const source = await open(path)
    await store.put(fileName, source.createReadStream({ highWaterMark: chunk.length }))
    // One file under both names, so that neither has it in memory when the other has not.
    const blob = store.features.localPath!(fileName)
    rmSync(blob)
    await link(path, blob)
  }

  /** Starts a server, closed with `stack`. */
  async enter(
    stack: AsyncDisposableStack,
    name: string,
    {
      execArgv = [],
      ...options
    }: {
      readonly server: FilesServerName
      readonly folder: string
      readonly storageUrl?: string | undefined
      /** What Node is told. Default: nothing. */
      readonly execArgv?: readonly string[] | undefined
    },
  ): Promise<FilesEntrant> {
    process.env['BENCH_DATABASE_URL'] = (await this.#database()).url
    const worker = stack.use(
      startWorker<FilesRequest>(stripTypes(new URL('./files-process.ts', import.meta.url)), { name, execArgv }),
    )
    return { name, worker, port: (await worker.ask({ type: 'open', ...options })) as number }
  }

  /** Starts who downloads, closed with `stack`. */
  load(stack: AsyncDisposableStack): Worker<DownloadLoad> {
    return stack.use(startWorker<DownloadLoad>(new URL('./load-process.ts', import.meta.url), { name: 'load' }))
  }

  #database(): Promise<BenchServer> {
    return (this.#postgres ??= openServer().then((server) => this.#stack.use(server)))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync()
  }
}
