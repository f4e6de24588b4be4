import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { planTags, type AnyQuerySet } from '../../../src/db/dynamic.ts'
import { createDb, isPlimsollError, type WriteTracker } from '../../../src/db/index.ts'
import { buildModelGraph, tagsOfSql } from '../../../src/schema/index.ts'
import { engines, open, type Opened } from './open-blog.ts'
import { relations, taggedSql } from './tagged.ts'
import { answer, reads, writes, type Read, type Sets } from './tagged-cases.ts'

class Undo extends Error {}

const graph = buildModelGraph(relations)
/** Constraints of every kind, an upsert that meets one row twice, and an updateMany with a key twice. */
function isRefusal(error: unknown): boolean {
  if (isPlimsollError(error, 'PLIMSOLL_WRITE_INVALID')) return true
  const state = isPlimsollError(error) ? error.details['sqlState'] : undefined
  return typeof state === 'string' && (state.startsWith('23') || state === '21000')
}

const readsPerWrite = 12
const runs = Number(process.env['THEOREM_RUNS'] ?? 150)

describe.each(engines)('the tags of reads and writes on %s', (engine) => {
  let opened: Opened<typeof relations>
  let tags: string[] = []
  const tracker: WriteTracker = {
    async write(work, _, within) {
      const { result, tags: written } = await work(within!)
      tags.push(...written)
      return result
    },
  }

  beforeAll(async () => {
    opened = await open(engine, { relations, setUp: taggedSql })
  })
  afterAll(() => opened.close())

  /** Runs `work` with a database whose changes are undone. */
  async function undone(
    work: (sets: Sets, attempt: (write: () => Promise<unknown>) => Promise<boolean>) => Promise<void>,
  ): Promise<void> {
    const { postgres } = opened
    const db = createDb({ relations, graph, postgres, secret: 'a secret for tests', writes: tracker })
    await db
      .transaction(async (tx) => {
        await work(tx as unknown as Sets, async (write) => {
          tags = []
          // A write that fails must not end the transaction.
          return tx
            .transaction(() => write())
            .then(
              () => true,
              (error: unknown) => {
                if (!isRefusal(error)) throw error
                tags = []
                return false
              },
            )
        })
        throw new Undo()
      })
      .catch((error: unknown) => {
        if (!(error instanceof Undo)) throw error
      })
  }

  async function answers(
    sets: Sets,
    wanted: readonly Read[],
  ): Promise<{ queryset: AnyQuerySet; text: string; read: readonly string[] }[]> {
    const found = []
    for (const read of wanted) {
      const queryset = read.step(sets[read.model]!)
      const kind = read.end === 'count' || read.end === 'exists' ? 'count' : 'rows'
      found.push({ queryset, text: await answer(queryset, read), read: planTags(queryset, kind) })
    }
    return found
  }

  it('meet wherever a write changes an answer', async () => {
    const counted = { pairs: 0, changed: 0, met: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.array(reads(graph), { minLength: readsPerWrite, maxLength: readsPerWrite }),
        fc.array(writes(graph), { minLength: 5, maxLength: 5 }),
        async (wanted, attempts) => {
          await undone(async (sets, attempt) => {
            const before = await answers(sets, wanted)
            // Many meet a constraint: the first that does anything.
            const written = new Set<string>()
            const done: string[] = []
            for (const write of attempts) {
              if (await attempt(() => write.run(sets))) done.push(write.name)
              for (const tag of tags) written.add(tag)
              if (written.size > 0) break
            }
            const after = await answers(sets, wanted)
            for (const [i, { text, read, queryset }] of before.entries()) {
              counted.pairs++
              const met = read.some((tag) => written.has(tag))
              if (met) counted.met++
              if (after[i]!.text === text) continue
              counted.changed++
              const plan = `${done.join(', ')} changed ${queryset.model.key} ${wanted[i]!.end}`
              expect(met, `${plan}: read ${read.join(' ')}, written ${[...written].join(' ')}`).toBe(true)
            }
          })
        },
      ),
      { numRuns: runs, endOnFailure: process.env['THEOREM_RUNS'] !== undefined },
    )
    console.log(engine, counted)
    // It has to have been put to the test, and tags have to tell apart.
    expect(counted.changed).toBeGreaterThan(counted.pairs / 50)
    expect(counted.met).toBeLessThan(counted.pairs / 2)
  }, 600_000)
})

void tagsOfSql
