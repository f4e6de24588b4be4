import { expect, test } from 'vitest'
import type { RedisAnswer } from '../../../src/jobs/drivers/redis/redis-link.ts'
import { Lease } from '../../../src/jobs/drivers/redis/leases.ts'
import { beat, registerWorker } from '../../../src/jobs/drivers/redis/scripts/lease.ts'
import type { RedisScript } from '../../../src/jobs/drivers/redis/scripts/script.ts'

test('a lease that is lost is followed by one, whoever notices it meanwhile', async () => {
  const registered: { readonly worker: string; answer(since: RedisAnswer): void }[] = []
  const link = {
    prefix: '{test:jobs}',
    run: (script: RedisScript, [worker]: readonly (string | number)[] = []): Promise<RedisAnswer> => {
      if (script === beat) return Promise.resolve(0)
      expect(script).toBe(registerWorker)
      return new Promise((answer) => registered.push({ worker: String(worker), answer }))
    },
  }
  let losses = 0
  const address = { name: 'none', cluster: false, seeds: [], connection: {}, namespace: undefined }
  const lease = new Lease(link, { address, leaseMs: 20_000, lost: () => losses++, mostMs: () => 0 })
  const opening = lease.register()
  registered[0]!.answer('data')
  await opening
  const noticed = [lease.lose(lease.worker), lease.refresh(), lease.lose('')]
  expect([lease.worker, registered.length, losses]).toEqual(['', 2, 1])
  registered[1]!.answer('data')
  await Promise.all(noticed)
  expect(lease.worker, 'what is taken from now on is taken under it').toBe(registered[1]!.worker)
  expect([registered.length, losses]).toEqual([2, 1])
})
