// A process that opens an outbox and has nothing else to do: it must end by itself.
import { openOutbox } from '../../../src/outbox/index.ts'
import { openPostgres } from '../../../src/postgres/index.ts'

const postgres = await openPostgres({ url: process.argv[2]! })
const outbox = await openOutbox({ postgres, durable: true })
outbox.carry('cache.bump', async () => {})
// Its channel to the test would keep the process.
process.disconnect()
