// A process that commits a write and never gets to carry its effects: the test kills it when it says that it has committed.
import { openOutbox } from '../../../src/outbox/index.ts'
import { createStatement, openPostgres } from '../../../src/postgres/index.ts'

const [url, text] = process.argv.slice(2)
const postgres = await openPostgres({ url: url! })
const outbox = await openOutbox({ postgres, durable: true })
outbox.carry('cache.bump', async () => {
  process.send?.('committed')
  await new Promise(() => {})
})
await outbox.write(async (executor) => {
  await executor.execute(createStatement(text!, { tracked: true }), [])
  return { result: undefined, tags: ['of the crashed'] }
}, [])
