import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reportMissing } from './debian.ts'
import { freePort } from './free-port.ts'
import { runServer, type RunningServer } from './running-server.ts'

const program = '/usr/sbin/varnishd'

/** A Varnish of the tests' own. */
export interface VarnishServer extends Omit<RunningServer, 'end'> {
  readonly url: string
  /** Ends it at once; what it had is lost. */
  crash(): Promise<void>
  stop(): Promise<void>
}

/** Where Varnish is, if its module xkey is there too. */
export function findVarnish(): string | undefined {
  const modules = globSync('/usr/lib/*/varnish/vmods/libvmod_xkey.so')
  return existsSync(program) && modules.length > 0 ? program : undefined
}

/** True when Varnish is there; says so when it is not. */
export function hasVarnish(): boolean {
  if (findVarnish() === undefined) reportMissing('Varnish with xkey', 'varnish varnish-modules')
  return findVarnish() !== undefined
}

/** Starts Varnish as `docs/cdn.md` has an edge configured, before the service at `upstream`, with its cache in memory. */
export async function startVarnishEdge(upstream: string): Promise<VarnishServer> {
  const page = readFileSync(new URL('../../docs/cdn.md', import.meta.url), 'utf8')
  const [, written = ''] = /^```vcl\n(.*?)^```$/ms.exec(page) ?? []
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-varnish-'))
  const port = await freePort()
  const { port: upstreamPort } = new URL(upstream)
  writeFileSync(join(folder, 'edge.vcl'), written.replace('.port = "3000"', `.port = "${upstreamPort}"`))
  // As ourselves: its jail would not find the folder.
  const args = [
    '-j',
    'none',
    '-F',
    '-n',
    join(folder, 'work'),
    '-a',
    `127.0.0.1:${port}`,
    '-T',
    'none',
    '-s',
    'malloc,64m',
  ]
  const server = await runServer({
    name: 'Varnish',
    program,
    args: [...args, '-f', join(folder, 'edge.vcl')],
    port,
    folder,
  })
  // On SIGTERM it takes its worker with it; one that is killed leaves it to notice.
  const end = (): Promise<void> => server.end('SIGTERM')
  return {
    pause: server.pause,
    resume: server.resume,
    restart: server.restart,
    url: `http://127.0.0.1:${port}`,
    crash: end,
    stop: async () => {
      await end()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
