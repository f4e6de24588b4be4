import { cpus, totalmem } from 'node:os'

/** What the figures were measured on; no host names, no paths. */
export interface Machine {
  readonly cores: number
  readonly memoryGb: number
  readonly cpu: string
  readonly node: string
  readonly postgres: string
}

export function describeMachine(postgres: string): Machine {
  const all = cpus()
  return {
    cores: all.length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    cpu: all[0]?.model.trim() ?? 'unknown',
    node: process.versions.node,
    postgres,
  }
}
