import { setTimeout as wait } from 'node:timers/promises'
import { answerOf, hasQueue, onChannel, type Broker } from './broker.ts'

const askMs = 5000
/** A queue that has taken nothing while its broker has answered so many questions, one after the other, has no leader and gets none. */
const mostAsked = 6

/**
 * Waits until a queue takes messages, by one that has no jobs. A queue that a crash has left without a leader blocks whatever channel is used
 * to send to it or to read it, so this has a channel of its own. One that still takes nothing after half a minute, of a broker that answers
 * all the while, is deleted: what was in it is in the tables as well. Resolves to false then, and when it is not there.
 *
 * `isFull`: the broker reads nothing now, of this connection.
 *
 * @throws Error when the connection ends, or the broker does not let us delete the queue
 */
export async function awaitLeader(broker: Broker, queue: string, isFull: () => boolean): Promise<boolean> {
  const channel = await answerOf(broker, broker.createConfirmChannel())
  const { promise: taken, resolve, reject } = Promise.withResolvers<boolean>()
  let missing = false
  let ended = false
  const end = (): void => {
    ended = true
    reject(new Error('the connection has ended'))
  }
  const send = (): void => {
    if (ended) return
    channel.publish('', queue, Buffer.from('[]'), { persistent: true, mandatory: true }, (error: unknown) => {
      if (error === null) resolve(!missing)
      // The queue has not answered the broker for a minute, or has just been deleted by somebody else.
      else if (!ended) setTimeout(send, askMs).unref()
    })
  }
  taken.catch(() => {})
  channel.on('error', () => {})
  channel.on('return', () => void (missing = true))
  channel.once('close', end)
  broker.once('close', end)
  send()
  try {
    for (let asked = 0; asked < mostAsked;) {
      const answer = await Promise.race([taken, wait(askMs, undefined, { ref: false })])
      if (answer !== undefined) return answer
      if (isFull()) continue
      if (!(await hasQueue(broker, queue))) return false
      asked++
    }
    await onChannel(broker, (other) => other.deleteQueue(queue))
    process.emitWarning(
      `The queue '${queue}' of RabbitMQ had no leader and was deleted. It is made again; what it held waits in the tables.`,
      'PlimsollWarning',
    )
    return false
  } finally {
    broker.off('close', end)
    // Without a leader there is no answer to that either.
    if (!ended) void channel.close().catch(() => {})
    ended = true
  }
}
