import { inject } from 'vitest'
import { offerServer, takeServer } from './made-once.ts'
import { startRabbitmq } from './rabbitmq.ts'

/**
 * The RabbitMQ of the test run, as guest; it takes six seconds and nine of a processor to start, and starts when the first test file asks for
 * it. The names of its queues begin with one that each database has for itself. Whoever has to crash it or to change its settings starts
 * one of their own.
 *
 * @throws when it could not be started
 */
export async function rabbitmqUrl(): Promise<string> {
  return takeServer(inject('rabbitmqOffer'))
}

/** Has {@link rabbitmqUrl} work in the processes of the tests. */
export function offerRabbitmq(): Promise<{ readonly url: string; stop(): Promise<void> }> {
  return offerServer(startRabbitmq)
}
