// A thread of its own beside the event loop: it keeps the connection alive while a job keeps the loop from doing so.
import { parentPort, workerData } from 'node:worker_threads'
import { LoopWatch } from '../loop-watch.ts'
import { BrokerReader, type ReaderOptions } from './broker-reader.ts'
import type { ReaderOrder } from './deliveries.ts'

const lookMs = 1000

const port = parentPort!
const loop = new LoopWatch()
const reader = new BrokerReader(workerData as ReaderOptions, (news) => port.postMessage(news))

// A loop that has gone astray has what it was given taken away: others may have it.
const timer = setInterval(() => {
  if (loop.astray) reader.abandon()
}, lookMs)

port.on('message', (order: ReaderOrder) => {
  switch (order.type) {
    case 'acknowledge':
      reader.acknowledge(order.channel, order.tags)
      break
    case 'alive':
      loop.alive(order.mostMs)
      break
    case 'look':
      void reader.look()
      break
    case 'pause':
      void reader.pause()
      break
    case 'close':
      clearInterval(timer)
      void reader.close().finally(() => port.close())
      break
  }
})
await reader.open()
port.postMessage({ type: 'open' })
