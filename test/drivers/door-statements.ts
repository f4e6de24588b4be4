import { expect, vi } from 'vitest'
import { createStatement } from '../../src/postgres/index.ts'
import { createTable, openDoor, readTexts, rowsOf, run, valueOf, type DoorCase } from './door.ts'

/** What the door promises of statements outside transactions. */
export const statementCases: readonly DoorCase[] = [
  {
    name: 'a row is handed on as the texts of its columns, NULL and empty text apart',
    async run(engine) {
      await using door = await openDoor(engine)
      const rows = await rowsOf(door, `select 1, null::text, '', 'ä€😀', true union all select 2, 'x', 'y', 'z', false`)
      expect(rows).toEqual([
        ['1', null, '', 'ä€😀', 't'],
        ['2', 'x', 'y', 'z', 'f'],
      ])
      expect(await rowsOf(door, 'select from generate_series(1, 3)')).toEqual([[], [], []])
    },
  },
  {
    name: 'a result tells its command and how many rows were sent or changed',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const outcome = (text: string) => door.execute(createStatement(text), [])
      expect(await outcome(`insert into ${table} select generate_series(1, 12)`)).toEqual({
        command: 'INSERT',
        rowCount: 12,
      })
      expect(await outcome(`update ${table} set n = n where n > 2`)).toEqual({ command: 'UPDATE', rowCount: 10 })
      expect(await outcome(`select n from ${table}`)).toEqual({ command: 'SELECT', rowCount: 12 })
      expect(await outcome(`delete from ${table}`)).toEqual({ command: 'DELETE', rowCount: 12 })
      expect(await outcome(`drop table ${table}`)).toMatchObject({ command: 'DROP' })
    },
  },
  {
    name: 'parameters arrive as they were given: text, numbers, bytes, NULL, and arrays of them',
    async run(engine) {
      await using door = await openDoor(engine)
      const hostile = `'; drop table x; -- "\\ \n\t{},NULL ä😀`
      const [row] = await rowsOf(door, 'select $1::text, $2::int, $3::int8, $4::bool, $5::bytea, $6::text', [
        hostile,
        -7,
        2n ** 62n,
        true,
        Buffer.from([0, 255, 92]),
        null,
      ])
      expect(row).toEqual([hostile, '-7', String(2n ** 62n), 't', '\\x00ff5c', null])
      const elements = [hostile, '', 'NULL', '{}', null, '"']
      expect(await rowsOf(door, 'select unnest($1::text[])', [elements])).toEqual(elements.map((element) => [element]))
      const bytes = [Buffer.from([1, 92, 34]), Buffer.alloc(0)]
      expect(await rowsOf(door, 'select unnest($1::bytea[])', [bytes])).toEqual([['\\x015c22'], ['\\x']])
      expect(await valueOf(door, 'select ($1::int[])[2][1]', [[[1], [2]]])).toBe('2')
    },
  },
  {
    name: 'a value that cannot go to the wire, and a parameter too many, are refused without touching the neighbours',
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      const text = `select cardinality($1::int[])`
      const outcomes = await Promise.allSettled([
        valueOf(door, 'select 1'),
        valueOf(door, text, [undefined as never]),
        valueOf(door, `select ${Array.from({ length: 65_536 }, (_, i) => `$${i + 1}::int`).join('+')}`, [
          ...Array(65_536).keys(),
        ]),
        valueOf(door, text, [[...Array(100_000).keys()]]),
      ])
      expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.code))).toEqual(
        ['1', 'PLIMSOLL_VALUE_INVALID', 'PLIMSOLL_QUERY_INVALID', '100000'],
      )
    },
  },
  {
    name: 'megabytes go both ways, beside small statements in the same tick',
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      const large = 'ab€'.repeat(700_000)
      const answers = await Promise.all(
        [large, 'x', large, 'y'].map((text) => valueOf(door, 'select $1::text', [text])),
      )
      expect(answers.map((answer) => answer?.length)).toEqual([large.length, 1, large.length, 1])
      expect(answers[2]).toBe(large)
    },
  },
  {
    name: 'an error is the business of its own statement, whatever was sent with it',
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      const outcomes = await Promise.allSettled(
        Array.from({ length: 60 }, (_, n) =>
          n % 3 === 1 ? valueOf(door, 'select 1 / $1::int', [0]) : valueOf(door, 'select $1::int', [n]),
        ),
      )
      outcomes.forEach((outcome, n) => {
        if (n % 3 === 1) expect(outcome).toMatchObject({ reason: { details: { sqlState: '22012' } } })
        else expect(outcome).toEqual({ status: 'fulfilled', value: String(n) })
      })
    },
  },
  {
    name: 'errors say what was refused by code, and never quote a parameter',
    async run(engine) {
      await using door = await openDoor(engine)
      const table = await createTable(door, `id int primary key, name text not null check (name <> 'secret-check')`)
      await run(door, `insert into ${table} values (1, 'one')`)
      const insert = (id: unknown, name: unknown) =>
        door.execute(createStatement(`insert into ${table} values ($1, $2)`), [id as number, name as string])
      const violated = { code: 'PLIMSOLL_CONSTRAINT_VIOLATED' }
      await expect(insert(1, 'secret')).rejects.toMatchObject({
        ...violated,
        details: { kind: 'unique', table, constraint: `${table}_pkey` },
      })
      await expect(insert(2, null)).rejects.toMatchObject({
        ...violated,
        details: { kind: 'not null', column: 'name' },
      })
      await expect(insert(2, 'secret-check')).rejects.toMatchObject({ ...violated, details: { kind: 'check' } })
      await expect(insert(1, 'secret')).rejects.toThrow(/^The unique constraint \S+ of \S+ refused the write\.$/)
      await expect(valueOf(door, `select 'x'::int`)).rejects.toMatchObject({ code: 'PLIMSOLL_VALUE_INVALID' })
      await expect(valueOf(door, 'select 1 / 0')).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_FAILED' })
      await expect(rowsOf(door, 'selekt')).rejects.toMatchObject({
        code: 'PLIMSOLL_STATEMENT_FAILED',
        details: { sqlState: '42601', statement: 'selekt' },
      })
    },
  },
  {
    name: 'a sink that throws fails its own statement only',
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      const failing = door.execute(createStatement('select generate_series(1, 3)'), [], () => {
        throw new RangeError('my own')
      })
      const neighbour = rowsOf(door, 'select generate_series(1, 3)')
      await expect(failing).rejects.toThrow(RangeError)
      expect(await neighbour).toHaveLength(3)
    },
  },
  {
    name: 'rows stay as they were for as long as somebody holds them',
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      const held: [Buffer, number, number][] = []
      await door.execute(createStatement('select repeat(n::text, 3) from generate_series(1, 5000) n'), [], (...row) =>
        held.push(row),
      )
      await Promise.all(Array.from({ length: 200 }, () => valueOf(door, `select repeat('x', 10000)`)))
      expect(held.map((row) => readTexts(...row)[0])).toEqual(
        Array.from({ length: 5000 }, (_, n) => String(n + 1).repeat(3)),
      )
    },
  },
  {
    name: 'a statement stays usable when its table is altered under it',
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      const table = await createTable(door, 'a int')
      await run(door, `insert into ${table} values (1)`)
      const read = () => rowsOf(door, `select * from ${table}`)
      for (let i = 0; i < 3; i++) expect(await read()).toEqual([['1']])
      await run(door, `alter table ${table} add column b text default 'new'`)
      expect(await Promise.all([read(), read()])).toEqual([[['1', 'new']], [['1', 'new']]])
    },
  },
  {
    name: 'a statement is prepared once, and no more are kept than the bound allows',
    needs: ['own sessions'],
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1, preparedStatements: 5 })
      const prepared = () => rowsOf(door, `select statement from pg_prepared_statements order by prepare_time`)
      for (let i = 0; i < 4; i++) await valueOf(door, 'select 1')
      expect((await prepared()).map(([text]) => text)).toContain('select 1')
      expect(await prepared()).toHaveLength(2)
      const read = (n: number) => valueOf(door, `select ${n} + 0`)
      for (let round = 0; round < 3; round++) {
        expect(await Promise.all(Array.from({ length: 20 }, (_, n) => read(n)))).toEqual(
          Array.from({ length: 20 }, (_, n) => String(n)),
        )
      }
      expect((await prepared()).length).toBeLessThanOrEqual(5)
    },
  },
  {
    name: 'a statement that was never prepared because it failed can be sent again and again',
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      const table = `t_${Math.random().toString(36).slice(2)}`
      const read = () => rowsOf(door, `select * from ${table}`)
      const failed = await Promise.allSettled([read(), read(), read()])
      expect(failed.map((outcome) => outcome.status)).toEqual(['rejected', 'rejected', 'rejected'])
      await run(door, `create table ${table} ()`)
      expect(await read()).toEqual([])
    },
  },
  {
    name: 'statements that fail side by side, and values that cannot be sent, leave prepared statements on',
    needs: ['own sessions'],
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1, preparedStatements: 2 })
      const missing = () => rowsOf(door, 'select * from there_is_no_such_table')
      await Promise.allSettled([missing(), missing(), missing(), missing()])
      await valueOf(door, 'select $1::int', [1])
      await valueOf(door, 'select $1::int + 1', [1])
      // Would push out the older of the two, but never leaves.
      await expect(valueOf(door, 'select $1::int + 2', [undefined as never])).rejects.toThrow('undefined')
      expect(await valueOf(door, 'select $1::int', [7])).toBe('7')
      const named = await valueOf(door, `select count(*) from pg_prepared_statements where name like 'plimsoll%'`)
      expect(named).toBe('2')
    },
  },
  {
    name: 'what PostgreSQL would misread is refused: numbers beyond its columns, and NUL in a text of SQL',
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      const outcomes = await Promise.allSettled([
        valueOf(door, 'select $1::numeric', [10n ** 400n]),
        valueOf(door, `select 1 -- \0`),
        run(door, `select 2 -- \0`),
        valueOf(door, 'select $1::text', ['a\0b']),
        valueOf(door, 'select 3'),
      ])
      expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.code))).toEqual(
        [String(10n ** 400n), 'PLIMSOLL_QUERY_INVALID', 'PLIMSOLL_QUERY_INVALID', 'PLIMSOLL_VALUE_INVALID', '3'],
      )
    },
  },
  {
    name: 'a batch reads one snapshot in one go, and fails with the error of the statement that failed',
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      const rows: string[] = []
      const item = (text: string) => ({
        statement: createStatement(text),
        values: [],
        sink: (...row: [Buffer, number, number]) => void rows.push(readTexts(...row).join()),
      })
      await door.batch([
        item('select txid_current_if_assigned() is null'),
        item(`select current_setting('transaction_isolation')`),
        item(`select current_setting('transaction_read_only')`),
      ])
      expect(rows).toEqual(['t', 'repeatable read', 'on'])
      const failing = door.batch([item('select 1'), item('select 1 / 0'), item('select 2')])
      const behind = valueOf(door, `select current_setting('transaction_isolation')`)
      await expect(failing).rejects.toMatchObject({ code: 'PLIMSOLL_STATEMENT_FAILED', details: { sqlState: '22012' } })
      expect(await behind).toBe('read committed')
      await door.batch([])
    },
  },
  {
    name: 'a cursor hands on every row in chunks, and is closed when its reader leaves',
    async run(engine) {
      await using door = await openDoor(engine)
      const read = async (leaveAfter: number): Promise<number[]> => {
        const chunks: number[] = []
        const text = 'select n from generate_series(1, $1::int) n'
        for await (const rows of door.cursor(createStatement(text), [25], () => {}, { chunkSize: 10 })) {
          chunks.push(rows)
          if (chunks.length === leaveAfter) break
        }
        return chunks
      }
      expect(await read(99)).toEqual([10, 10, 5])
      expect(await read(1)).toEqual([10])
      expect(await Promise.all([read(99), read(2), read(99)])).toEqual([
        [10, 10, 5],
        [10, 10],
        [10, 10, 5],
      ])
      expect(await valueOf(door, `select count(*) from pg_cursors where name <> ''`)).toBe('0')
      const refused = door.cursor(createStatement('select 1 / 0'), [], () => {}, { chunkSize: 10 })
      await expect(refused.next()).rejects.toMatchObject({ details: { sqlState: '22012' } })
      expect(await valueOf(door, 'select 1')).toBe('1')
    },
  },
  {
    name: 'a transaction begun by hand on a shared connection is refused before it takes in the neighbours',
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      for (const text of ['begin', ' START  transaction read only']) {
        const [begun, neighbour] = await Promise.allSettled([run(door, text), valueOf(door, 'select 1')])
        expect(begun).toMatchObject({ reason: { code: 'PLIMSOLL_QUERY_INVALID' } })
        expect(neighbour).toMatchObject({ value: '1' })
      }
    },
  },
  {
    name: 'a transaction begun unseen is ended with a warning, and loses nothing of what was answered in it',
    needs: ['own sessions'],
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
      try {
        const table = await createTable(door, 'n int')
        const numbers = Array.from({ length: 20 }, (_, n) => n)
        const answers = await Promise.all([
          run(door, '/* unseen */ begin'),
          ...numbers.map((n) => valueOf(door, `insert into ${table} values ($1) returning n`, [n])),
        ])
        expect(answers.slice(1)).toEqual(numbers.map(String))
        expect(await valueOf(door, `select count(*) from ${table}`)).toBe('20')
        const ids = [await valueOf(door, 'select txid_current()'), await valueOf(door, 'select txid_current()')]
        expect(ids[0], 'each statement is a transaction of its own again').not.toBe(ids[1])
        expect(warned.mock.calls.map(([text]) => String(text))).toEqual([
          expect.stringContaining('begun outside db.transaction'),
        ])
      } finally {
        warned.mockRestore()
      }
    },
  },
  {
    name: 'COPY from the client is refused, and the connection goes on',
    async run(engine) {
      await using door = await openDoor(engine, { sharedConnections: 1 })
      const table = await createTable(door, 'n int')
      const [copied, neighbour] = await Promise.allSettled([
        run(door, `copy ${table} from stdin`),
        valueOf(door, 'select 1'),
      ])
      expect(copied).toMatchObject({ reason: { code: 'PLIMSOLL_FEATURE_UNSUPPORTED' } })
      expect(neighbour).toMatchObject({ value: '1' })
    },
  },
  {
    name: 'closing waits for what was sent, refuses what comes after, and can be done twice',
    async run(engine) {
      const door = await openDoor(engine)
      const table = await createTable(door, 'n int')
      const sent = Array.from({ length: 50 }, (_, n) => run(door, `insert into ${table} values (${n})`))
      const transaction = door.transaction(async (tx) => {
        await run(tx, `insert into ${table} values (100)`)
        return valueOf(tx, `select count(*) from ${table} where n = 100`)
      })
      const closed = Promise.all([door.close(), door.close()])
      expect(await Promise.all(sent)).toEqual(Array(50).fill(1))
      expect(await transaction).toBe('1')
      await closed
      const refusal = { code: 'PLIMSOLL_DATABASE_CLOSED' }
      await expect(valueOf(door, 'select 1')).rejects.toMatchObject(refusal)
      await expect(door.transaction(async () => {})).rejects.toMatchObject(refusal)
    },
  },
]
