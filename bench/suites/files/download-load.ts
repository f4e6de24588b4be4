import { connect, type Socket } from 'node:net'

/** Who downloads, and what. */
export interface DownloadLoad {
  readonly port: number
  readonly path: string
  /** How large the file is, in bytes. */
  readonly size: number
  /** Ranges of so many bytes at random places; undefined for all of it. */
  readonly range?: number | undefined
  readonly connections: number
  /** No request is sent after that. */
  readonly durationMs: number
  /** Breaks off what is under way then. Default false. */
  readonly cut?: boolean | undefined
}

/** What came, as long as it was measured. */
export interface Downloaded {
  readonly bytes: number
  readonly elapsedMs: number
  readonly latenciesMs: Float64Array
}

/**
 * Downloads over keep-alive connections, as little as can be done of it: bytes are read into one buffer for each connection, and counted. An
 * HTTP client of Node's own would be slower than what it measures.
 */
export async function download(load: DownloadLoad): Promise<Downloaded> {
  const began = performance.now()
  const latencies: number[] = []
  const counts = await Promise.all(Array.from({ length: load.connections }, () => downloadOver(load, began, latencies)))
  const bytes = counts.reduce((sum, count) => sum + count, 0)
  return { bytes, elapsedMs: performance.now() - began, latenciesMs: Float64Array.from(latencies) }
}

/** One connection, until its time is up. */
function downloadOver(load: DownloadLoad, began: number, latencies: number[]): Promise<number> {
  const { port, path, size, range, durationMs, cut = false } = load
  return new Promise((resolve, reject) => {
    let total = 0
    let missing = -1
    let sent = 0
    const buffer = Buffer.allocUnsafe(256 * 1024)
    const ask = (): void => {
      const first = range === undefined ? 0 : Math.floor((Math.random() * (size - range)) / 4096) * 4096
      const header = range === undefined ? '' : `Range: bytes=${first}-${first + range - 1}\r\n`
      sent = performance.now()
      missing = -1
      socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n${header}\r\n`)
    }
    const take = (count: number): boolean => {
      let bytes = count
      if (missing < 0) {
        const head = buffer.toString('latin1', 0, Math.min(count, 4096))
        const end = head.indexOf('\r\n\r\n')
        const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
        if (end < 0 || length === undefined || !/^HTTP\/1\.1 20[06]/.test(head)) {
          socket.destroy(new Error(`GET ${path} answered ${head.slice(0, 100)}`))
          return false
        }
        missing = Number(length)
        bytes -= end + 4
      }
      missing -= bytes
      total += bytes
      if (cut && performance.now() - began > durationMs) socket.destroy()
      if (missing > 0 || socket.destroyed) return true
      latencies.push(performance.now() - sent)
      if (performance.now() - began < durationMs) ask()
      else socket.destroy()
      return true
    }
    const socket: Socket = connect({ port, host: '127.0.0.1', onread: { buffer, callback: take } })
    socket.once('connect', ask)
    socket.once('error', reject)
    socket.once('close', () => resolve(total))
  })
}
