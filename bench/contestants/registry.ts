import type { OpenContestant } from './contestant.ts'

interface Loaded {
  readonly open: OpenContestant
  /** Microseconds that one cached queryset costs from its first method to its statement, without I/O; Plimsoll only. */
  readonly measureOverhead?: () => Promise<number>
}

/** The contestant that is 1.00. */
export const reference = 'hand-written'

/** In the order of the tables. Each is imported in its own process only. */
export const contestantNames: readonly string[] = [
  'plimsoll-json',
  'plimsoll-rows',
  reference,
  'drizzle',
  'kysely',
  'prisma',
  'typeorm',
  'mikro-orm',
]

/** Imports one contestant's library. */
export async function loadContestant(name: string): Promise<Loaded> {
  switch (name) {
    case 'plimsoll-json': {
      const { measureOverhead, openPlimsollJson } = await import('./plimsoll.ts')
      return { open: openPlimsollJson, measureOverhead }
    }
    case 'plimsoll-rows': {
      const { openPlimsollRows } = await import('./plimsoll.ts')
      return { open: openPlimsollRows }
    }
    case reference:
      return { open: (await import('./hand-written.ts')).openHandWritten }
    case 'drizzle':
      return { open: (await import('./drizzle.ts')).openDrizzle }
    case 'kysely':
      return { open: (await import('./kysely.ts')).openKysely }
    case 'prisma':
      return { open: (await import('./prisma.ts')).openPrisma }
    case 'typeorm':
      return { open: (await import('./typeorm.ts')).openTypeorm }
    case 'mikro-orm':
      return { open: (await import('./mikro-orm.ts')).openMikroOrm }
    default:
      throw new Error(`No contestant is called '${name}'; there are ${contestantNames.join(', ')}`)
  }
}
