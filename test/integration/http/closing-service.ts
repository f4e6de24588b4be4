// A service in a process of its own, for tests of signals: /slow is answered when the process gets a message.
import { once } from 'node:events'
import { defineRelations } from 'drizzle-orm'
import { integer, pgTable } from 'drizzle-orm/pg-core'
import { createApp } from '../../../src/app/index.ts'

const makers = pgTable('makers', { id: integer().primaryKey() })
const relations = defineRelations({ makers })
const app = await createApp({ relations, secret: 'a secret for tests', closeTimeout: '1h' })
const told = once(process, 'message')
app.fastify.get('/slow', async () => {
  process.send?.('asked')
  return (await told)[0]
})
app.fastify.addHook('preClose', async () => void process.send?.('closing'))
app.fastify.addHook('onClose', async () => {
  // The channel to the test would keep the process.
  process.disconnect()
  if (process.argv.includes('fail')) throw new Error('this hook fails')
})
const url = await app.listen({ port: 0, host: '127.0.0.1' })
app.closeOnSignals()
process.send?.(url)
