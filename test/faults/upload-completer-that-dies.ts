// A service that completes the uploads whose paths it is sent, and is killed by its own hand when it comes to a point: when the store has made the
// object ('verified'), when that is under its key ('copied'), within the transaction ('stored'), or when that has committed and what has waited is
// still there ('committed'). It ends when nobody is there to send it any.
import { on } from 'node:events'
import { openFileStore } from '../../src/app/open-files.ts'
import { createApp } from '../../src/app/index.ts'
import type { FileStore } from '../../src/files/index.ts'
import { defineProbe, relations } from '../integration/http/uploads/upload-models.ts'

const [databaseUrl, storageUrl, point] = process.argv.slice(2)
const die = (at: string): void => {
  if (at === point) process.kill(process.pid, 'SIGKILL')
}
const opened = await openFileStore(storageUrl!)
const dying: Partial<FileStore> = {
  async copy(...parameters) {
    die('verified')
    const copied = await opened.copy(...parameters)
    die('copied')
    return copied
  },
  async delete(keys) {
    die('committed')
    return opened.delete(keys)
  },
}
const store = new Proxy(opened, {
  get(target, name) {
    const value: unknown = name in dying ? dying[name as keyof FileStore] : Reflect.get(target, name, target)
    return typeof value === 'function' ? value.bind(target) : value
  },
})
const probe = defineProbe()
const app = await createApp({
  relations,
  databaseUrl: databaseUrl!,
  files: { store, sweep: '1h' },
  secret: 'a secret of the tests, long enough',
  jobs: [probe],
  work: false,
})
app.uploads('/uploads', {
  accept: ['*/*'],
  maxBytes: '100MB',
  onStored: async ({ key, type, size }, tx) => {
    await tx.assets.create({ key, type, size })
    await probe.enqueue({ key })
    die('stored')
  },
})
await app.fastify.ready()
const paths = on(process, 'message', { close: ['disconnect'] })
process.send!('ready')
for await (const [path] of paths as AsyncIterable<[string]>) {
  const { statusCode, body } = await app.fastify.inject({ method: 'POST', url: path })
  process.send!({ status: statusCode, body: JSON.parse(body) })
}
await app.close()
