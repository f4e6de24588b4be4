import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Makes things by their names, each once, when somebody asks for it first. */
export interface MadeOnce<Made extends object> {
  /** Where the processes of the tests ask; see {@link takeMade}. */
  readonly url: string
  once<Name extends keyof Made>(name: Name): Promise<Made[Name]>
  /** Resolves when nothing is being made any more. */
  stop(): Promise<void>
}

/** Serves what takes long to make to all test files, whose processes are others than this one. What is made goes to them as JSON. */
export async function serveMadeOnce<Made extends object>(make: {
  readonly [Name in keyof Made]: () => Promise<Made[Name]>
}): Promise<MadeOnce<Made>> {
  const made = new Map<keyof Made, Promise<unknown>>()
  const once = <Name extends keyof Made>(name: Name): Promise<Made[Name]> => {
    const making = made.get(name) ?? make[name]()
    made.set(name, making)
    return making as Promise<Made[Name]>
  }
  const server = createServer((request, response) => {
    once(request.url!.slice(1) as keyof Made).then(
      (value) => response.end(JSON.stringify(value ?? null)),
      (error: unknown) => response.writeHead(500).end(String(error)),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    once,
    async stop() {
      server.close()
      await Promise.allSettled(made.values())
    },
  }
}

/** A server of the test run that takes long to start, by its URL. */
interface OfferedServer {
  readonly url: string
  stop(): Promise<void>
}

/** Offers a server to all test files: it starts when somebody asks for it first, by {@link takeServer}, and stops with the offer. */
export async function offerServer(start: () => Promise<OfferedServer | undefined>): Promise<OfferedServer> {
  let server: OfferedServer | undefined
  const { url, stop } = await serveMadeOnce<{ server: string }>({
    async server() {
      server = await start()
      return server?.url ?? ''
    },
  })
  return {
    url,
    async stop() {
      await stop()
      await server?.stop()
    },
  }
}

/** The URL of the server that {@link offerServer} offers there; empty where it is not installed. @throws when it could not be started */
export async function takeServer(offer: string): Promise<string> {
  return takeMade<string>(offer, 'server')
}

/** What was made, from where {@link serveMadeOnce} serves it. @throws what making it has failed with */
export async function takeMade<T>(url: string, name: string): Promise<T> {
  const response = await fetch(`${url}/${name}`)
  if (!response.ok) throw new Error(await response.text())
  return (await response.json()) as T
}
