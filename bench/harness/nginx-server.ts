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

interface Place {
  readonly port: number
  readonly folder: string
  readonly upstreamPort: number
}

function configuration({ port, folder, upstreamPort }: Place): string {
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
  proxy_cache_path ${folder}/cache keys_zone=bench:10m;
  # By default it closes every connection after 1000 requests, which would measure connecting.
  keepalive_requests 1000000000;
  upstream app { server 127.0.0.1:${upstreamPort}; keepalive 8; }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_cache bench;
      proxy_cache_lock on;
      proxy_cache_use_stale updating;
      proxy_cache_background_update on;
    }
  }
}
`
}
