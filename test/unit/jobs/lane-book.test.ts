import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LaneBook, laneId, suspicionOf, type Lane, type LaneAsk } from '../../../src/jobs/drivers/database/lanes.ts'

const lane = (id: string, parts: Partial<Lane> = {}): Lane => ({
  id,
  queue: 'q',
  priority: 0,
  limit: undefined,
  ...parts,
})
const always = (): number => Number.POSITIVE_INFINITY

/** A table of jobs as claims see it, each by what was committed when it began; and what has come of the book. */
class Table {
  readonly book = new LaneBook()
  readonly taken: bigint[] = []
  #waiting: { readonly lane: Lane; readonly seq: bigint }[] = []
  #seq = 0n
  /** Commits that have not been announced. */
  readonly #silent: { readonly lane: Lane; readonly seq: bigint }[] = []
  #claim: { readonly asks: readonly LaneAsk[]; readonly seen: readonly { lane: Lane; seq: bigint }[] } | undefined
  /** Numbers are given before the commit, so later ones may be seen first. */
  readonly #open: { readonly lane: Lane; readonly seq: bigint }[] = []

  enqueue(of: Lane): void {
    this.#open.push({ lane: of, seq: ++this.#seq })
  }

  /** One that is announced at once. */
  add(of: Lane): void {
    this.enqueue(of)
    this.commit(this.#open.length - 1)
    this.announce(this.#silent.length - 1)
  }

  commit(at: number): void {
    const [one] = this.#open.splice(at % Math.max(this.#open.length, 1), 1)
    if (one === undefined) return
    this.#waiting.push(one)
    this.#silent.push(one)
  }

  announce(at: number): void {
    const [one] = this.#silent.splice(at % Math.max(this.#silent.length, 1), 1)
    if (one !== undefined) this.book.note(one.lane, one.seq)
  }

  beginClaim(room: number): void {
    if (this.#claim !== undefined) return
    const asks = this.book.plan(room, always)
    const seen = asks.flatMap((ask) =>
      this.#waiting
        .filter((one) => one.lane.id === ask.lane.id && one.seq >= ask.mark)
        .toSorted((a, b) => (a.seq < b.seq ? -1 : 1))
        .slice(0, ask.most),
    )
    this.#claim = { asks, seen }
  }

  endClaim(): boolean {
    const claim = this.#claim
    this.#claim = undefined
    if (claim === undefined) return false
    const gone = new Set(claim.seen)
    this.#waiting = this.#waiting.filter((one) => !gone.has(one))
    for (const ask of claim.asks) {
      const seqs = claim.seen.filter((one) => one.lane.id === ask.lane.id).map(({ seq }) => seq)
      this.book.took(ask, { count: seqs.length, greatest: seqs.at(-1) })
    }
    this.taken.push(...claim.seen.map(({ seq }) => seq))
    return claim.asks.length > 0
  }

  /** Commits and announces everything, and takes for as long as the book knows of something. */
  settle(): void {
    this.endClaim()
    while (this.#open.length > 0) this.commit(0)
    while (this.#silent.length > 0) this.announce(0)
    do this.beginClaim(3)
    while (this.endClaim())
  }

  get all(): bigint[] {
    return Array.from({ length: Number(this.#seq) }, (_, i) => BigInt(i + 1))
  }
}

describe('the lanes of a worker', () => {
  test('no job that was announced is skipped, whenever it was committed', () => {
    const lanes = [lane('2'), lane('4'), lane('6', { priority: 5 })]
    const step = fc.oneof(
      fc.record({ do: fc.constantFrom('enqueue' as const, 'add' as const), at: fc.nat(2) }),
      fc.record({ do: fc.constantFrom('commit' as const, 'announce' as const), at: fc.nat(9) }),
      fc.record({ do: fc.constantFrom('begin' as const, 'end' as const), at: fc.integer({ min: 1, max: 5 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const table = new Table()
        for (const { do: what, at } of steps) {
          if (what === 'enqueue') table.enqueue(lanes[at]!)
          else if (what === 'add') table.add(lanes[at]!)
          else if (what === 'commit') table.commit(at)
          else if (what === 'announce') table.announce(at)
          else if (what === 'begin') table.beginClaim(at)
          else table.endClaim()
        }
        table.settle()
        expect(table.taken.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(table.all)
      }),
      { numRuns: 2000 },
    )
  })

  test('a job that is noted while its lane is found empty is asked for again', () => {
    const book = new LaneBook()
    book.note(lane('2'), 5n)
    const [ask] = book.plan(1, always)
    // It was committed after the claim had looked.
    book.note(lane('2'), 6n)
    book.took(ask!, { count: 0, greatest: undefined })
    expect(book.plan(1, always)).toMatchObject([{ mark: 5n }])
  })

  test('what was taken is not walked over again', () => {
    const book = new LaneBook()
    book.note(lane('2'), 5n)
    const [ask] = book.plan(10, always)
    book.took(ask!, { count: 10, greatest: 20n })
    expect(book.plan(10, always)).toMatchObject([{ mark: 21n, most: 10 }])
    book.note(lane('2'), 7n)
    expect(book.plan(10, always), 'a late commit').toMatchObject([{ mark: 7n }])
  })

  test('only the lanes of the highest priority are asked, and all of them in turns', () => {
    const book = new LaneBook()
    for (let i = 0; i < 10; i++) book.note(lane(String(2 * i)), 1n)
    book.note(lane('100', { priority: -1 }), 1n)
    const asked = Array.from({ length: 5 }, (_, n) => {
      const asks = book.plan(4, always)
      for (const ask of asks) book.took(ask, { count: ask.most, greatest: BigInt(n + 1) })
      return asks.map((ask) => ask.lane.id)
    }).flat()
    expect(asked).toHaveLength(20)
    for (let i = 0; i < 10; i++) expect(asked.filter((id) => id === String(2 * i))).toHaveLength(2)
    book.note(lane('102', { priority: 9 }), 1n)
    expect(book.plan(4, always).map((ask) => ask.lane.id)).toEqual(['102'])
  })

  test('a turn is over when something was taken, and not before: as much may be allowed as one lane has', () => {
    const book = new LaneBook()
    for (const id of ['2', '4', '6']) book.note(lane(id), 1n)
    const first = (): string => book.plan(10, always)[0]!.lane.id
    expect([first(), first()]).toEqual(['2', '2'])
    const served = Array.from({ length: 6 }, (_, n) => {
      const [ask] = book.plan(10, always)
      book.took({ ...ask!, most: 1 }, { count: 1, greatest: BigInt(n + 1) })
      return ask!.lane.id
    })
    expect(served).toEqual(['2', '4', '6', '2', '4', '6'])
  })

  test('priorities are those of a queue; between queues room is shared out in turns', () => {
    const book = new LaneBook()
    for (const id of ['2', '4', '6']) book.note(lane(id, { priority: 5 }), 1n)
    book.note(lane('8', { priority: 4 }), 1n)
    book.note(lane('10', { queue: 'r', priority: -5 }), 1n)
    const planned = (room: number): string[] =>
      book.plan(room, always).map(({ lane: { id }, most }) => `${most} of ${id}`)
    expect(planned(12)).toEqual(['2 of 2', '2 of 4', '2 of 6', '6 of 10'])
    const served = Array.from({ length: 6 }, (_, n) => {
      const [ask] = book.plan(1, always)
      book.took(ask!, { count: 1, greatest: BigInt(n + 1) })
      return ask!.lane.id
    })
    expect(served).toEqual(['2', '10', '4', '10', '6', '10'])
    expect(book.queuesAbove0(always)).toEqual(new Set(['q']))
    expect(
      book.queuesAbove0(({ priority }) => (priority === 5 ? 0 : 1)),
      'the next priority',
    ).toEqual(new Set(['q']))
    expect(book.queuesAbove0(({ queue }) => (queue === 'q' ? 0 : 1))).toEqual(new Set())
  })

  test('room is shared out, and no more than a queue has open is asked for', () => {
    const book = new LaneBook()
    for (const id of ['2', '4', '6']) book.note(lane(id), 1n)
    expect(book.plan(10, always).map(({ most }) => most)).toEqual([4, 3, 3])
    const asks = book.plan(10, (_, { ofQueue }) => 2 - ofQueue)
    expect(asks.reduce((sum, { most }) => sum + most, 0)).toBe(2)
    expect(book.plan(0, always)).toEqual([])
    expect(book.plan(10, () => 0)).toEqual([])
  })

  test('a look goes from where a lane was taken from at the look before', () => {
    const book = new LaneBook()
    book.note(lane('2'), 1n)
    expect(book.look()).toEqual({ lanes: [], marks: [] })
    const [ask] = book.plan(10, always)
    book.took(ask!, { count: 10, greatest: 10n })
    expect(book.look(), 'a claim of these may be undone').toEqual({ lanes: ['2'], marks: [1n] })
    expect(book.look()).toEqual({ lanes: ['2'], marks: [11n] })
  })

  test('the id of a lane is a number of 64 bits that ends in two zeroes; beside it are those of suspects, and of prime ones', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.integer({ min: -100, max: 100 }), (queue, tenant, priority) => {
        const id = laneId({ queue, tenant, priority, limit: undefined })
        const number = BigInt(id)
        expect(BigInt.asIntN(64, number)).toBe(number)
        expect([0n, 1n, 3n].map((bits) => suspicionOf(String(number | bits)))).toEqual(['none', 'suspect', 'prime'])
      }),
    )
    const parts = { queue: 'q', priority: 0, tenant: 't', limit: undefined }
    const others = [{ queue: 'r' }, { priority: 1 }, { tenant: 'u' }, { limit: 'job' }, { tenant: '' }]
    const ids = [parts, ...others.map((other) => ({ ...parts, ...other }))].map(laneId)
    expect(new Set(ids).size).toBe(ids.length)
  })
})
