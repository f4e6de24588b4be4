import { measureRounds, runOverHttp, type Measurement } from '../../harness/measure.ts'
import { startNginx } from '../../harness/nginx-server.ts'
import type { LoadRequest } from '../../harness/protocol.ts'
import { startWorker, type Worker } from '../../harness/worker.ts'
import type { ListRequest } from './http-list-process.ts'
import type { SuiteContext } from './suite-context.ts'
import type { CacheWorkload } from './workload.ts'

const reference = 'constant-buffer'
const contestants = ['plimsoll-memory', 'plimsoll-redis', 'plimsoll-uncached', 'nginx', reference]
const connections = 32

interface ListEntrant {
  readonly name: string
  readonly port: number
  /** Whose CPU time is Node's: for nginx the app behind it. */
  readonly worker: Worker<ListRequest>
  readonly serverPid: number | undefined
}

/** A cached list over HTTP against the same bytes that need no thought at all, and against a cache in front of the app. */
export const httpListWorkload: CacheWorkload = {
  name: 'http-list',
  title: `a list of 20 posts over ${connections} keep-alive connections`,
  async run(context) {
    await using stack = new AsyncDisposableStack()
    const entrants = await enterAll(context, stack)
    const load = stack.use(
      startWorker<LoadRequest>(new URL('../../harness/load-process.ts', import.meta.url), { name: 'load' }),
    )
    const measured: Record<string, Measurement> = await measureRounds(
      entrants.map(({ name, port, worker, serverPid }) => ({
        name,
        serverPid,
        run: (durationMs) => runOverHttp(worker, load, { port, path: '/posts', connections, durationMs }),
      })),
      { reference, ...context.rounds },
    )
    for (const worker of new Set(entrants.map((entrant) => entrant.worker))) await worker.ask({ type: 'close' })
    return measured
  },
}

async function enterAll(context: SuiteContext, stack: AsyncDisposableStack): Promise<readonly ListEntrant[]> {
  const { url: databaseUrl } = await context.blog()
  const { pid: postgresPid } = await context.postgres()
  const chosen = context.choose(contestants, reference)
  const start = async (name: string, request: ListRequest): Promise<{ worker: Worker<ListRequest>; port: number }> => {
    const args = context.profileArgs(`http-list-${name}`)
    const file = new URL('./http-list-process.ts', import.meta.url)
    const worker = stack.use(startWorker<ListRequest>(file, { name, args }))
    return { worker, port: (await worker.ask(request)) as number }
  }
  const inMemory = await start('plimsoll-memory', { type: 'plimsoll', databaseUrl, cacheUrl: 'memory:', cached: true })
  const answer = await fetchList(inMemory.port)
  const open: Readonly<Record<string, () => Promise<Omit<ListEntrant, 'name'>>>> = {
    'plimsoll-memory': async () => ({ ...inMemory, serverPid: undefined }),
    'plimsoll-redis': async () => {
      const { redis: cacheUrl } = context.urlsOf('plimsoll-redis')
      const started = await start('plimsoll-redis', { type: 'plimsoll', databaseUrl, cacheUrl, cached: true })
      return { ...started, serverPid: context.serverPidOf('plimsoll-redis') }
    },
    'plimsoll-uncached': async () => {
      const request = { type: 'plimsoll', databaseUrl, cacheUrl: 'memory:', cached: false } as const
      return { ...(await start('plimsoll-uncached', request)), serverPid: postgresPid }
    },
    nginx: async () => {
      const nginx = stack.use(await startNginx(inMemory.port))
      return { worker: inMemory.worker, port: nginx.port, serverPid: nginx.pid }
    },
    [reference]: async () => ({ ...(await start(reference, { type: 'constant', ...answer })), serverPid: undefined }),
  }
  const entrants: ListEntrant[] = []
  for (const name of chosen) entrants.push({ name, ...(await open[name]!()) })
  for (const { name, port } of entrants) {
    if (!(await fetchList(port)).body.equals(answer.body)) throw new Error(`http-list: ${name} answers something else`)
  }
  return entrants
}

/** The list as a client sees it; the headers are those that are not about the connection. */
async function fetchList(port: number): Promise<{ headers: Record<string, string>; body: Buffer }> {
  const response = await fetch(`http://127.0.0.1:${port}/posts`, { headers: { 'accept-encoding': 'identity' } })
  if (!response.ok) throw new Error(`GET /posts answered ${response.status}: ${await response.text()}`)
  const connection = ['connection', 'keep-alive', 'date', 'content-length']
  const headers = Object.fromEntries([...response.headers].filter(([name]) => !connection.includes(name)))
  return { headers, body: Buffer.from(await response.arrayBuffer()) }
}
