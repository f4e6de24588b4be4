import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { planTags, type AnyQuerySet } from '../../../src/db/dynamic.ts'
import { createDb, isPlimsollError, type WriteTracker } from '../../../src/db/index.ts'
import { buildModelGraph, tagsOfSql } from '../../../src/schema/index.ts'
import { engines, open, type Opened } from './open-blog.ts'
import { relations, taggedSql } from './tagged.ts'
import { answer, reads, sqlWrites, writes, type Read, type Sets, type Write } from './tagged-cases.ts'

class Undo extends Error {}

const graph = buildModelGraph(relations)
const readsPerWrite = 12
/** How many writes are tried; THEOREM_RUNS=5000 is for a change of the rules. */
const runs = Number(process.env['THEOREM_RUNS'] ?? 200)

interface Case {
  readonly name: string
  readonly run: Write
}

interface Answer {
  readonly queryset: AnyQuerySet
  readonly text: string
  readonly tags: readonly string[]
}

// The one rule that all invalidation stands on: a write that changes an answer bumps a tag that the answer was kept under.
describe.each(engines)('the tags of reads and of writes on %s', (engine) => {
  let opened: Opened<typeof relations>
  let written: string[] = []
  const tracker: WriteTracker = {
    async write(work, _, within) {
      const { result, tags } = await work(within!)
      written.push(...tags)
      return result
    },
  }

  beforeAll(async () => {
    opened = await open(engine, { relations, setUp: taggedSql })
  })
  afterAll(() => opened.close())

  async function answersOf(sets: Sets, wanted: readonly Read[]): Promise<Answer[]> {
    const answers: Answer[] = []
    for (const read of wanted) {
      const queryset = read.step(sets[read.model]!)
      const tags = planTags(queryset, read.end === 'count' || read.end === 'exists' ? 'count' : 'rows')
      answers.push({ queryset, text: await answer(queryset, read), tags })
    }
    return answers
  }

  /** Reads, writes and reads again, and undoes the write; many writes meet a constraint, so the first that does anything counts. */
  async function around(
    wanted: readonly Read[],
    cases: readonly Case[],
  ): Promise<{ before: Answer[]; after: Answer[]; tags: Set<string>; done: string }> {
    const { postgres } = opened
    const db = createDb({ relations, graph, postgres, secret: 'a secret for tests', writes: tracker })
    const tags = new Set<string>()
    const done: string[] = []
    let before: Answer[] = []
    let after: Answer[] = []
    await db
      .transaction(async (tx) => {
        const sets = tx as unknown as Sets
        before = await answersOf(sets, wanted)
        for (const { name, run } of cases) {
          written = []
          // One that fails must not end the transaction.
          const failure = await tx
            .transaction(() => run(sets))
            .then(
              () => undefined,
              (error: unknown) => error,
            )
          if (failure !== undefined && !isRefusal(failure)) throw failure
          if (failure === undefined) {
            done.push(name)
            for (const tag of written) tags.add(tag)
          }
          if (tags.size > 0) break
        }
        after = await answersOf(sets, wanted)
        throw new Undo()
      })
      .catch((error: unknown) => {
        if (!(error instanceof Undo)) throw error
      })
    return { before, after, tags, done: done.join(', ') }
  }

  async function check(cases: fc.Arbitrary<Case>, numRuns: number): Promise<void> {
    const counted = { pairs: 0, changed: 0, met: 0 }
    const wanted = fc.array(reads(graph), { minLength: readsPerWrite, maxLength: readsPerWrite })
    const attempts = fc.array(cases, { minLength: 5, maxLength: 5 })
    const property = fc.asyncProperty(wanted, attempts, async (all, some) => {
      const { before, after, tags, done } = await around(all, some)
      for (const [i, read] of before.entries()) {
        const met = read.tags.some((tag) => tags.has(tag))
        const changed = after[i]!.text !== read.text
        counted.pairs++
        counted.changed += changed ? 1 : 0
        counted.met += met ? 1 : 0
        if (!changed || met) continue
        const plan = `${done} changed ${read.queryset.model.key} ${all[i]!.end}`
        expect.fail(`${plan}: it read ${read.tags.join(' ')}, and was written ${[...tags].join(' ')}`)
      }
    })
    await fc.assert(property, { numRuns })
    // Where nothing changes, or everything meets, nothing was tested. Far from what is usual (11 % and 30 to 50 %): the cases are
    // drawn anew each time.
    expect(counted.changed).toBeGreaterThan(counted.pairs / 100)
    expect(counted.met).toBeLessThan(counted.pairs * 0.8)
  }

  it('meet wherever a write through a queryset changes an answer', () => check(writes(graph), runs), 600_000)

  it('meet wherever SQL of unknown origin changes an answer', () => {
    const cases = sqlWrites(
      (text) => tagsOfSql(graph, text),
      (tags) => written.push(...tags),
    )
    return check(cases, runs / 4)
  }, 600_000)
})

/** Constraints of every kind, an upsert that meets one row twice, and an updateMany with a key twice. */
function isRefusal(error: unknown): boolean {
  if (isPlimsollError(error, 'PLIMSOLL_WRITE_INVALID')) return true
  const state = isPlimsollError(error) ? error.details['sqlState'] : undefined
  return typeof state === 'string' && (state.startsWith('23') || state === '21000')
}
