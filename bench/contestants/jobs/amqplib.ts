// amqplib as one would write it who wants no message lost: a quorum queue, confirms, an acknowledgement for each.
import { connect, type ConsumeMessage } from 'amqplib'
import type { JobInput, OpenJobContestant } from './contestant.ts'

const queue = 'noop'

export const openAmqplib: OpenJobContestant = async ({ urls, concurrency, onRun }) => {
  const broker = await connect(urls.rabbitmq, { noDelay: true })
  const publishing = await broker.createConfirmChannel()
  const consuming = await broker.createChannel()
  await consuming.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
  await consuming.prefetch(concurrency)
  let tag: string | undefined
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
        consuming.ack(message)
      }
      const { consumerTag } = await consuming.consume(queue, (message) => {
        if (message !== null) void run(message)
      })
      tag = consumerTag
    },
    stop: async () => {
      if (tag !== undefined) await consuming.cancel(tag)
    },
    clear: () => consuming.purgeQueue(queue),
    close: () => broker.close(),
  }
}
