// amqplib as one would write it who wants no message lost: a quorum queue, confirms, an acknowledgement for each, or one for all that are done.
import { connect, type Channel, type ConsumeMessage } from 'amqplib'
import type { JobInput, OpenJobContestant } from './contestant.ts'

const queue = 'noop'

export const openAmqplib: OpenJobContestant = async ({ urls, concurrency, batched, onRun }) => {
  const broker = await connect(urls.rabbitmq, { noDelay: true })
  const publishing = await broker.createConfirmChannel()
  const consuming = await broker.createChannel()
  await consuming.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
  await consuming.prefetch(concurrency)
  let tag: string | undefined
  const acknowledge = batched ? batching(consuming) : (message: ConsumeMessage): void => consuming.ack(message)
  return {
    add: async (inputs) => {
      for (const input of inputs) {
        const content = Buffer.from(JSON.stringify(input))
        publishing.publish('', queue, content, { persistent: true, mandatory: true })
      }
      await publishing.waitForConfirms()
    },
    start: async () => {
      const run = async (message: ConsumeMessage): Promise<void> => {
        await onRun(JSON.parse(message.content.toString()) as JobInput)
        acknowledge(message)
      }
      const { consumerTag } = await consuming.consume(queue, (message) => {
        if (message !== null) void run(message)
      })
      tag = consumerTag
    },
    stop: async () => {
      if (tag !== undefined) await consuming.cancel(tag)
    },
    clear: async () => void (await consuming.purgeQueue(queue)),
    close: () => broker.close(),
  }
}

/** Acknowledges with one frame what is done of a turn of the event loop, as far as everything before it is done too. */
function batching(channel: Channel): (message: ConsumeMessage) => void {
  const done = new Map<number, ConsumeMessage>()
  let first = 1
  let waiting = false
  const flush = (): void => {
    waiting = false
    let last: ConsumeMessage | undefined
    for (let message = done.get(first); message !== undefined; message = done.get(first)) {
      done.delete(first++)
      last = message
    }
    if (last !== undefined) channel.ack(last, true)
  }
  return (message) => {
    done.set(message.fields.deliveryTag, message)
    if (!waiting) setImmediate(flush)
    waiting = true
  }
}
