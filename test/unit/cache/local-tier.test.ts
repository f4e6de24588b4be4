import { expect, test } from 'vitest'
import { memoryStore } from '../../../src/cache/drivers/memory/memory-store.ts'
import { openCache } from '../../../src/cache/open-cache.ts'

test('what an entry takes up in a process counts its tags', async () => {
  const cache = openCache({ store: memoryStore() })
  await cache.get('few', () => 1, { tags: ['a'] })
  const { bytes: few } = cache.statistics().local
  await cache.get('many', () => 1, { tags: Array.from({ length: 50 }, (_, n) => `posts:${n}`) })
  expect(cache.statistics().local.bytes - few).toBeGreaterThan(50 * 64)
  await cache.close()
})
