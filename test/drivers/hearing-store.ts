import type { CacheStore } from '../../src/cache/contract.ts'
import { memoryStore } from '../../src/cache/drivers/memory/memory-store.ts'
import { BumpChannel } from '../../src/outbox/index.ts'
import type { Postgres } from '../../src/postgres/index.ts'

/** A store in memory that hears of others through PostgreSQL, as another process would open it. */
export async function openHearingStore(postgres: Postgres): Promise<CacheStore> {
  const channel = new BumpChannel(postgres)
  const store = memoryStore({ feed: channel })
  await channel.open((reason) => {
    throw new Error(reason)
  })
  return store
}
