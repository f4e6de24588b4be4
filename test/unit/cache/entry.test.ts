import { expect, test } from 'vitest'
import { openCache } from '../../../src/cache/open-cache.ts'
import { ModelServer, ModelStore } from './model-store.ts'

/** Where the payload of an entry begins; see `entry.ts`. */
const payloadAt = 49

test.each([
  ['another V8', (bytes: Buffer) => void (bytes[payloadAt + 1] = 255)],
  ['a later release of ours', (bytes: Buffer) => void (bytes[payloadAt - 17] = 100)],
])(
  'what %s has written in a form that is not known here is loaded, and left to those who know it',
  async (_, change) => {
    const server = new ModelServer()
    const open = () => openCache({ store: new ModelStore(server, 'none', async () => {}), localWindow: 0 })
    const [one, other] = [open(), open()]
    await one.get('k', () => new Date(1))
    const bytes = server.entries.get('k')!
    change(bytes)
    expect(await other.get('k', () => new Date(2))).toEqual(new Date(2))
    expect(server.entries.get('k')).toBe(bytes)
  },
)
