import { inject } from 'vitest'
import { serveMadeOnce, takeMade } from './made-once.ts'
import { startRabbitmq, type RabbitmqServer } from './rabbitmq.ts'

/**
 * The RabbitMQ of the test run, as guest; it takes six seconds and nine of a processor to start, and starts when the first test file asks for
 * it. The names of its queues begin with one that each database has for itself. Whoever has to crash it or to change its settings starts
 * one of their own.
 *
 * @throws when it could not be started
 */
export async function rabbitmqUrl(): Promise<string> {
  return takeMade<string>(inject('rabbitmqOffer'), 'broker')
}

/** Has {@link rabbitmqUrl} work in the processes of the tests. */
export async function offerRabbitmq(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  let server: RabbitmqServer | undefined
  const { url, stop } = await serveMadeOnce<{ broker: string }>({
    async broker() {
      server = await startRabbitmq()
      return server?.url ?? ''
    },
  })
  return {
    url,
    async stop() {
      await stop()
      await server?.stop()
    },
  }
}
