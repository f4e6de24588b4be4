import { readdirSync } from 'node:fs'
import { findRabbitmq, startRabbitmq as startServer } from '../../test/servers/rabbitmq.ts'
import { requireInstalled } from './debian.ts'
import type { LocalServer } from './local-server.ts'

/** Starts a RabbitMQ of the bench's own, with all cores and no busy waiting, which would only take them from the contestants. */
export async function startRabbitmq(): Promise<LocalServer> {
  requireInstalled(findRabbitmq, { name: 'RabbitMQ', debianPackage: 'rabbitmq-server' })
  const { port, pid, stop } = (await startServer({ erlang: '+sbwt none +sbwtdcpu none +sbwtdio none' }))!
  return { port, pid, [Symbol.asyncDispose]: stop }
}

/** For example `3.10.8`. */
export function rabbitmqVersion(): string {
  const [folder] = readdirSync('/usr/lib/rabbitmq/lib')
  return folder?.replace('rabbitmq_server-', '') ?? 'unknown'
}
