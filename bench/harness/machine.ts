import { cpus, totalmem } from 'node:os'

/** The versions of the servers that took part. */
export interface ServerVersions {
  readonly postgres?: string
  readonly redis?: string
  readonly memcached?: string
  readonly rabbitmq?: string
}

/** What the figures were measured on; no host names, no paths. */
export interface Machine extends ServerVersions {
  readonly cores: number
  readonly memoryGb: number
  readonly cpu: string
  readonly node: string
}

export function describeMachine(servers: ServerVersions): Machine {
  const all = cpus()
  return {
    cores: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    cpu: all[0]?.model.trim() ?? 'unknown',
    node: process.versions.node,
    ...servers,
  }
}
