import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { inject } from 'vitest'
import { reportMissing } from './debian.ts'
import { freePort } from './free-port.ts'
import { offerServer, takeServer } from './made-once.ts'
import { pause } from './pause.ts'

const run = promisify(execFile)
const programs = ['/usr/bin/radosgw', '/usr/bin/ceph-mon', '/usr/bin/ceph-osd', '/usr/bin/ceph']

/** On a machine that is busy with other things each step takes a minute; this bound only ends what would never end. */
const startMs = 280_000

/** The Debian packages that bring what is needed. */
export const radosgwPackages: readonly string[] = ['radosgw', 'ceph-mon', 'ceph-osd', 'ceph-common']

/** A Ceph of the tests' own: its object gateway speaks the protocol of S3, and checks signatures as Amazon's does. */
export interface RadosGateway {
  /** `s3://key:secret@bucket?endpoint=…&pathStyle=true`; the bucket is there. */
  readonly url: string
  readonly endpoint: string
  /** Makes another bucket; resolves to its URL. */
  createBucket(name: string): Promise<string>
  /** Stops answering, without closing anything, until it is resumed. */
  pause(): void
  resume(): void
  stop(): Promise<void>
}

const credentials = { accessKeyId: 'AKTEST', secretAccessKey: 'SK/test+secret' }

/** Where the gateway is. */
export function findRadosgw(): string | undefined {
  return programs.every((program) => existsSync(program)) ? programs[0] : undefined
}

/**
 * The bucket of the test run; Ceph takes 15 seconds to start, and starts when the first test file asks for it.
 *
 * @throws when it could not be started
 */
export async function radosgwUrl(): Promise<string> {
  return takeServer(inject('radosgwOffer'))
}

/** Has {@link radosgwUrl} work in the processes of the tests. */
export function offerRadosgw(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  return offerServer(startRadosgw)
}

/**
 * Starts a monitor, a store in memory of up to `megabytes` (default 3000) and a gateway on free loopback ports; undefined, with the reason
 * printed, when they are not installed outside CI.
 */
export async function startRadosgw({ megabytes = 3000 } = {}): Promise<RadosGateway | undefined> {
  if (findRadosgw() === undefined) {
    reportMissing('Ceph', radosgwPackages.join(' '))
    return undefined
  }
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-ceph-'))
  for (const name of ['mon', 'osd', 'rgw', 'log', 'run']) mkdirSync(join(folder, name))
  const [port, monitorPort] = [await freePort(), await freePort()]
  const [cluster, store] = [randomUUID(), randomUUID()]
  writeFileSync(join(folder, 'ceph.conf'), configuration(folder, { port, monitorPort, cluster, megabytes }))
  const conf = ['-c', join(folder, 'ceph.conf')]
  const servers: ChildProcess[] = []
  const serve = (program: string, args: readonly string[]): ChildProcess => {
    const log = openSync(join(folder, 'log', `${program.split('/').at(-1)}.out`), 'w')
    const server = spawn(program, [...conf, ...args, '-f'], { stdio: ['ignore', log, log] })
    servers.push(server)
    return server
  }
  let stopped = false
  const stop = async (): Promise<void> => {
    stopped = true
    await Promise.all(servers.toReversed().map(ended))
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const map = join(folder, 'monmap')
    await run('/usr/bin/monmaptool', [
      '--create',
      '--addv',
      'a',
      `[v1:127.0.0.1:${monitorPort}]`,
      '--fsid',
      cluster,
      map,
    ])
    await run(programs[1]!, [...conf, '--mkfs', '-i', 'a', '--monmap', map])
    serve(programs[1]!, ['-i', 'a'])
    const ceph = async (...args: readonly string[]): Promise<string> =>
      (await run(programs[3]!, [...conf, ...args], { timeout: startMs })).stdout
    const id = (await ceph('osd', 'new', store)).trim()
    await run(programs[2]!, [...conf, '-i', id, '--mkfs', '--osd-uuid', store])
    serveStore(5)
    // On a busy machine its first command may go before it knows the cluster ("wrong fsid"), and it ends.
    function serveStore(attempts: number): void {
      serve(programs[2]!, ['-i', id]).once('exit', (code) => {
        if (code !== null && code !== 0 && attempts > 1 && !stopped) serveStore(attempts - 1)
      })
    }
    await ceph('osd', 'crush', 'add', `osd.${id}`, '1', 'root=default', 'host=localhost')
    const user = [
      '--uid=test',
      '--display-name=test',
      `--access-key=${credentials.accessKeyId}`,
      `--secret=${credentials.secretAccessKey}`,
    ]
    await run('/usr/bin/radosgw-admin', [...conf, 'user', 'create', ...user], { timeout: startMs })
    const gateway = serve(programs[0]!, ['-n', 'client.rgw'])
    const endpoint = `http://127.0.0.1:${port}`
    await answers(endpoint, gateway)
    const createBucket = async (name: string): Promise<string> => {
      const client = new S3Client({ region: 'us-east-1', endpoint, forcePathStyle: true, credentials })
      await client.send(new CreateBucketCommand({ Bucket: name }))
      client.destroy()
      return `s3://${credentials.accessKeyId}:${credentials.secretAccessKey}@${name}?endpoint=${encodeURIComponent(endpoint)}&pathStyle=true`
    }
    return {
      url: await createBucket('plimsoll'),
      endpoint,
      createBucket,
      pause: () => pause(gateway),
      resume: () => void gateway.kill('SIGCONT'),
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function answers(endpoint: string, gateway: ChildProcess): Promise<void> {
  for (;;) {
    if (gateway.exitCode !== null) throw new Error('The gateway of Ceph ended while it started.')
    if (await fetch(endpoint).catch(() => undefined)) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function ended(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const end = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGKILL')
  await end
}

function configuration(
  folder: string,
  parts: { readonly port: number; readonly monitorPort: number; readonly cluster: string; readonly megabytes: number },
): string {
  return `[global]
fsid = ${parts.cluster}
mon host = v1:127.0.0.1:${parts.monitorPort}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
auth allow insecure global id reclaim = true
mon warn on insecure global id reclaim allowed = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
ms bind ipv6 = false
ms bind msgr2 = false
run dir = ${folder}/run
admin socket = ${folder}/run/$name.asok
log file = ${folder}/log/$name.log
pid file = ${folder}/run/$name.pid
setuser match path =
[mon]
mon data = ${folder}/mon
mon cluster log file = ${folder}/log/cluster.log
mon data avail crit = 1
mon data avail warn = 2
[osd]
osd data = ${folder}/osd
osd objectstore = memstore
memstore device bytes = ${parts.megabytes * 1024 * 1024}
osd memory target = 1073741824
osd max object name len = 2048
osd max object namespace len = 256
[client.rgw]
rgw data = ${folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:${parts.port}
rgw thread pool size = 64
rgw enable usage log = false
rgw gc obj min wait = 5
rgw gc processor period = 5
rgw gc processor max time = 60
`
}
