import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startLocalServer, type LocalServer } from './local-server.ts'

/** Starts an nginx with one worker that keeps the answers of `upstreamPort` as long as their headers say (`proxy_cache`). */
export function startNginx(upstreamPort: number): Promise<LocalServer> {
  return startLocalServer({
    program: 'nginx',
    debianPackage: 'nginx-light',
    args: ({ port, folder }) => {
      const file = join(folder, 'nginx.conf')
      writeFileSync(file, configuration({ port, folder, upstreamPort }))
      return ['-e', join(folder, 'error.log'), '-p', folder, '-c', file]
    },
  })
}

/** Starts an nginx with one worker that serves a folder's files below `/files/` by `sendfile`. */
export function startFileNginx(root: string): Promise<LocalServer> {
  return startLocalServer({
    program: 'nginx',
    debianPackage: 'nginx-light',
    args: ({ port, folder }) => {
      const file = join(folder, 'nginx.conf')
      writeFileSync(
        file,
        frame({ port, folder, location: `location /files/ { alias ${root}/; sendfile on; tcp_nopush on; }` }),
      )
      return ['-e', join(folder, 'error.log'), '-p', folder, '-c', file]
    },
  })
}

interface Place {
  readonly port: number
  readonly folder: string
}

function configuration({ upstreamPort, ...place }: Place & { readonly upstreamPort: number }): string {
  const http = `proxy_cache_path ${place.folder}/cache keys_zone=bench:10m;
  upstream app { server 127.0.0.1:${upstreamPort}; keepalive 8; }`
  const location = `location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache bench;
      proxy_cache_lock on;
      proxy_cache_use_stale updating;
      proxy_cache_background_update on;
    }`
  return frame({ ...place, http, location })
}

function frame({
  port,
  folder,
  http = '',
  location,
}: Place & { readonly http?: string; readonly location: string }): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
${process.getuid?.() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary.map((kind) => `${kind}_temp_path ${folder}/${kind};`).join('\n  ')}
  # By default it closes every connection after 1000 requests, which would measure connecting.
  keepalive_requests 1000000000;
  ${http}
  server {
    listen 127.0.0.1:${port};
    ${location}
  }
}
`
}
