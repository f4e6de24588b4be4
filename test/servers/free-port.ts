import { createServer } from 'node:net'

/**
 * A loopback port that nobody listens on now. It is none of those that systems give to connections that go out (from 32768 on), so that
 * none of these has it when a server comes back to it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 20_000)
    if (await canListen(port)) return port
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
