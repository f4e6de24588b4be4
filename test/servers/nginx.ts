import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { reportMissing } from './debian.ts'
import { freePort } from './free-port.ts'
import { runServer } from './running-server.ts'

const program = '/usr/sbin/nginx'

/** An nginx of the tests' own: a cache that many clients share. */
export interface CachingProxy {
  readonly url: string
  stop(): Promise<void>
}

/** Where nginx is. */
export function findNginx(): string | undefined {
  return existsSync(program) ? program : undefined
}

/** True when nginx is there; says so when it is not. */
export function hasNginx(): boolean {
  if (findNginx() === undefined) reportMissing('nginx', 'nginx')
  return findNginx() !== undefined
}

/**
 * Starts nginx before the service at `upstream`. It keeps what the headers of answers let a shared cache keep, for as long as they
 * say, and says in `X-Cache` whether an answer is one that it had: HIT, MISS, EXPIRED, REVALIDATED.
 */
export async function startNginx(upstream: string): Promise<CachingProxy> {
  return runNginx(
    ({ folder, port }) => `proxy_cache_path ${folder}/cache keys_zone=shared:1m use_temp_path=off;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass ${upstream};
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache shared;
      proxy_cache_revalidate on;
      add_header X-Cache $upstream_cache_status always;
    }
  }`,
  )
}

/** Starts nginx as `docs/cdn.md` has an edge configured, with the secrets that are written there, before the service at `upstream`. */
export async function startNginxEdge(upstream: string): Promise<CachingProxy> {
  const page = readFileSync(new URL('../../docs/cdn.md', import.meta.url), 'utf8')
  const [, written = ''] = /^```nginx\n(.*?)^```$/ms.exec(page) ?? []
  return runNginx(({ folder, port }) =>
    written
      .replaceAll('http://127.0.0.1:3000', upstream)
      .replace('listen 8080', `listen 127.0.0.1:${port}`)
      .replace('/var/cache/nginx/edge', `${folder}/cache`),
  )
}

/** Starts nginx with what is to stand in its block `http`. */
async function runNginx(
  http: (where: { readonly folder: string; readonly port: number }) => string,
): Promise<CachingProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-nginx-'))
  const port = await freePort()
  const temporary = ['client_body', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`)
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
${process.getuid?.() === 0 ? 'user root;' : ''}
error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log off;
  ${temporary.join('\n  ')}
  proxy_temp_path ${folder}/proxy;
  ${http({ folder, port })}
}
`,
  )
  // Its own log from the start: the one that is compiled in belongs to the system's nginx.
  const args = ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')]
  const server = await runServer({ name: 'nginx', program, args, port, folder })
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      await server.end('SIGTERM')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
