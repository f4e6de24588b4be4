import { expect, test } from 'vitest'
import { Batches } from '../../../src/jobs/drivers/database/batches.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function setup(options: { readonly leastBeside?: number } = {}) {
  const sent: { readonly batch: readonly string[]; end(): void }[] = []
  const batches = new Batches<string>({
    ...options,
    groupOf: (item) => item[0]!,
    charsOf: (item) => (item.endsWith('large') ? 3_000_000 : 1),
    send: (batch) => new Promise((resolve) => sent.push({ batch, end: resolve })),
  })
  return { sent, batches, add: (...items: string[]) => items.forEach((item) => batches.add(item)) }
}

const items = (count: number, from = 0): string[] => Array.from({ length: count }, (_, n) => `a${from + n}`)

test('what is added in one turn goes together, by group, in the order in which it came', async () => {
  const { sent, add } = setup()
  add('a1', 'b1', 'a2', 'b2', 'a3')
  await turn()
  expect(sent.map(({ batch }) => batch)).toEqual([
    ['a1', 'a2', 'a3'],
    ['b1', 'b2'],
  ])
})

test('no more than 500 go together, nor after what is large, and no more than two at a time', async () => {
  const { sent, add } = setup()
  add('b1', 'b-large', 'b-large', 'b2', ...items(1100))
  await turn()
  expect(sent.map(({ batch }) => batch.length)).toEqual([3, 1])
  sent[0]!.end()
  sent[1]!.end()
  await turn()
  await turn()
  expect(sent.map(({ batch }) => batch.length)).toEqual([3, 1, 500, 500])
  sent[2]!.end()
  await turn()
  await turn()
  expect(sent.flatMap(({ batch }) => batch)).toEqual(['b1', 'b-large', 'b-large', 'b2', ...items(1100)])
})

test('a second one beside the first waits until there are enough for it, or the first has ended', async () => {
  const { sent, batches, add } = setup({ leastBeside: 250 })
  add('a0')
  await turn()
  add(...items(249, 1))
  await turn()
  expect(sent).toHaveLength(1)
  add('a250')
  await turn()
  expect(sent[1]!.batch).toEqual(items(250, 1))
  add('a251')
  sent[1]!.end()
  await turn()
  expect(sent).toHaveLength(2)
  let idle = false
  void batches.idle().then(() => (idle = true))
  sent[0]!.end()
  await turn()
  await turn()
  expect(sent[2]!.batch).toEqual(['a251'])
  expect(idle).toBe(false)
  sent[2]!.end()
  await turn()
  expect(idle).toBe(true)
})
