import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A way to a server on which connections can be cut, refused and held up. */
export interface ConnectionGate {
  readonly port: number
  /** Cuts what is open, and refuses what comes. */
  shut(): Promise<void>
  /** Takes connections again, on the same port. */
  open(): Promise<void>
  /** Cuts what is open, as soon as so many bytes have come back through it. */
  cutAfter(bytes: number): void
  close(): Promise<void>
}

/** Opens a gate before a port of this machine. */
export async function openGate(target: number): Promise<ConnectionGate> {
  const sockets = new Set<Socket>()
  let most = Number.POSITIVE_INFINITY
  let port = 0
  let server: Server
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const listen = async (): Promise<void> => {
    server = createServer((near) => {
      const far = connect(target, '127.0.0.1')
      let bytes = 0
      far.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > most) cut()
      })
      for (const socket of [near, far]) {
        sockets.add(socket)
        socket.on('error', () => {})
        socket.once('close', () => {
          sockets.delete(socket)
          near.destroy()
          far.destroy()
        })
      }
      near.pipe(far)
      far.pipe(near)
    })
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
  }
  const shut = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve))
    cut()
    await closed
  }
  await listen()
  return {
    get port() {
      return port
    },
    shut,
    open: async () => {
      most = Number.POSITIVE_INFINITY
      await listen()
    },
    cutAfter: (bytes) => {
      most = bytes
    },
    close: shut,
  }
}
