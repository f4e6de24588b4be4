import { expect, test } from 'vitest'
import { openPostgres } from '../../../src/postgres/index.ts'
import { parseReplicaOptions } from '../../../src/postgres/replicas/create-replicas.ts'

test('replicas have the options of the primary, and those in their own URL, but not those in its', () => {
  const replicaUrls = ['postgres://a/d?sharedConnections=7', 'postgresql://b/d']
  const settings = parseReplicaOptions({ url: 'postgres://h/d?maxTransactions=2', maxPipelineDepth: 5, replicaUrls })
  expect(settings).toMatchObject([
    { url: 'postgres://a/d', sharedConnections: 7, maxPipelineDepth: 5, maxTransactions: 10 },
    { url: 'postgresql://b/d', sharedConnections: 3, maxPipelineDepth: 5, maxTransactions: 10 },
  ])
})

test('a URL that is none is refused by its number, without a part of what may be a password', () => {
  const replicaUrls = ['postgres://u:pa', 'ss@h/d']
  expect(() => parseReplicaOptions({ url: 'postgres://h/d', replicaUrls })).toThrow(
    expect.objectContaining({
      code: 'PLIMSOLL_OPTION_INVALID',
      message: expect.stringMatching(/^Number 2 of replicaUrls(?!.*ss@h).*%2C/),
      details: { option: 'replicaUrls' },
    }),
  )
})

test('PGlite has no replicas', async () => {
  const opening = openPostgres({ url: 'pglite:memory', replicaUrls: ['postgres://a/d'] })
  await expect(opening).rejects.toMatchObject({
    code: 'PLIMSOLL_OPTION_INVALID',
    message: expect.stringContaining('PGlite has no replicas'),
  })
})
