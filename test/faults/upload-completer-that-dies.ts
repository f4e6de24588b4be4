// A service that is killed by its own hand while it completes an upload: when the store has made the object ('verified'), when that is under
// its key ('copied'), within the transaction ('stored'), or when that has committed and what has waited is still there ('committed').
import { createApp } from '../../src/app/index.ts'
import { diskStore } from '../../src/files/drivers/disk/disk-store.ts'
import type { FileStore } from '../../src/files/index.ts'
import { defineProbe, relations } from '../integration/http/uploads/upload-models.ts'

const [databaseUrl, folder, path, point] = process.argv.slice(2)
const die = (at: string): void => {
  if (at === point) process.kill(process.pid, 'SIGKILL')
}
const disk = diskStore({ folder: folder! })
const dying: Partial<FileStore> = {
  async copy(...parameters) {
    die('verified')
    const copied = await disk.copy(...parameters)
    die('copied')
    return copied
  },
  async delete(keys) {
    die('committed')
    return disk.delete(keys)
  },
}
const store = new Proxy(disk, {
  get(target, name) {
    const value: unknown = name in dying ? dying[name as keyof FileStore] : Reflect.get(target, name, target)
    return typeof value === 'function' ? value.bind(target) : value
  },
})
const probe = defineProbe()
const app = await createApp({
  relations,
  databaseUrl: databaseUrl!,
  files: { store },
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
await app.fastify.inject({ method: 'POST', url: path! })
