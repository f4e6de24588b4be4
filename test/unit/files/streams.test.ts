import { PassThrough, Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { mostUnknownBytes, partSize } from '../../../src/files/drivers/s3/multipart-put.ts'
import { piecesOf } from '../../../src/files/drivers/s3/s3-copies.ts'
import { BodyReader } from '../../../src/files/body-reader.ts'
import { sourceOf } from '../../../src/files/byte-source.ts'
import { bytesOf } from '../../../src/files/file-body.ts'
import { ByteFeed } from '../../../src/files/uploads/byte-feed.ts'
import { guardStream } from '../../../src/files/guarded-stream.ts'
import { PartReader } from '../../../src/files/part-reader.ts'

const megabyte = 1024 * 1024

async function* chunked(chunks: readonly Uint8Array[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}

describe('a reader of parts', () => {
  test('gives all bytes in parts of the size that is asked for, and knows the last one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 30 }),
        async (chunks, size) => {
          const reader = new PartReader(chunked(chunks))
          const parts: Buffer[] = []
          for (let last = false; !last;) {
            const part = await reader.next(size)
            parts.push(part.bytes)
            last = part.last
          }
          expect(Buffer.concat(parts).equals(Buffer.concat(chunks))).toBe(true)
          expect(parts.slice(0, -1).every(({ length }) => length === size)).toBe(true)
          expect(parts.length).toBe(Math.max(1, Math.ceil(Buffer.concat(chunks).length / size)))
        },
      ),
    )
  })
})

describe('the parts of an upload', () => {
  test('hold the largest file, and a stream of unknown length of up to 390 GB, in 10000', () => {
    const largest = 5 * 1024 ** 4
    expect(partSize(1, largest) * 10_000).toBeGreaterThanOrEqual(largest)
    expect(partSize(1, 100)).toBe(8 * megabyte)
    let sum = 0
    for (let number = 1; number <= 10_000; number++) sum += partSize(number, undefined)
    expect(sum).toBeGreaterThanOrEqual(mostUnknownBytes)
  })
})

describe('the pieces that a large object is copied in', () => {
  test('are all of it, each of a size that a part may have', () => {
    const gigabyte = 1024 ** 3
    const object = {
      key: 'k',
      etag: '"e"',
      type: 'a/b',
      modifiedAt: 0,
      crc32c: undefined,
      cacheControl: undefined,
      disposition: undefined,
      metadata: {},
    }
    for (const size of [1, 5 * gigabyte, 5 * gigabyte + 1, 7 * gigabyte + 123, 5 * 1024 * gigabyte]) {
      const pieces = piecesOf({ ...object, size })
      expect(pieces.length).toBeLessThanOrEqual(10_000)
      if (pieces.length === 1) expect(pieces[0]).toMatchObject({ range: undefined, bytes: size })
      let next = 0
      for (const { range, bytes } of pieces) {
        if (range !== undefined) expect(range).toBe(`bytes=${next}-${next + bytes - 1}`)
        if (pieces.length > 1) expect(bytes).toBeGreaterThan(5 * megabyte)
        expect(bytes).toBeLessThanOrEqual(5 * gigabyte)
        next += bytes
      }
      expect(next).toBe(size)
    }
  })
})

describe('the bytes of a body', () => {
  test('hold the last ones back until all are known to be right', async () => {
    const seen: string[] = []
    const read = async (): Promise<void> => {
      const body = chunked([Buffer.from('one'), Buffer.from('two')])
      const announced = { key: 'key', sha256: '0'.repeat(64), mostBytes: 100 }
      for await (const chunk of bytesOf(body, announced)) seen.push(chunk.toString())
    }
    await expect(read()).rejects.toMatchObject({ code: 'PLIMSOLL_FILE_CORRUPT' })
    expect(seen).toEqual(['one'])
  })

  test('are no more than the store takes', async () => {
    const read = async (): Promise<void> => {
      for await (const _ of bytesOf(chunked([Buffer.alloc(60), Buffer.alloc(60)]), { key: 'key', mostBytes: 100 }));
    }
    await expect(read()).rejects.toMatchObject({ code: 'PLIMSOLL_FILE_TOO_LARGE' })
  })
})

describe('a reader of blocks', () => {
  const announced = { key: 'key', mostBytes: 100 }

  async function blocksOf(reader: BodyReader, size: number): Promise<Buffer> {
    const blocks: Buffer[] = []
    for (let last = false; !last;) {
      const block = Buffer.alloc(size)
      const bytes = await reader.fill(block)
      last = bytes < size
      blocks.push(block.subarray(0, bytes))
    }
    return Buffer.concat(blocks)
  }

  test('has all bytes of a body, however they come and whatever is asked for, also by pieces', async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(chunks, fc.integer({ min: 1, max: 30 }), fc.nat(30), async (some, size, first) => {
        const all = Buffer.concat(some)
        const loose = { key: 'key', mostBytes: 1000 }
        expect((await blocksOf(new BodyReader(chunked(some), loose), size)).equals(all)).toBe(true)
        const feed = new ByteFeed(sourceOf(chunked(some)))
        const counts = [Math.min(first, all.length), Math.max(0, all.length - first)]
        const pieces: Buffer[] = []
        for (const count of counts) pieces.push(await blocksOf(new BodyReader(feed.take(count), loose), size))
        expect(pieces.map(({ length }) => length)).toEqual(counts)
        expect(Buffer.concat(pieces).equals(all)).toBe(true)
        await expect(feed.take(1).readInto(Buffer.alloc(1))).rejects.toThrow('before the bytes')
      }),
    )
  })

  test.each([
    [{ size: 7 }, 'PLIMSOLL_FILE_CORRUPT'],
    [{ size: 5 }, 'PLIMSOLL_FILE_CORRUPT'],
    [{ sha256: '0'.repeat(64) }, 'PLIMSOLL_FILE_CORRUPT'],
    [{ mostBytes: 5 }, 'PLIMSOLL_FILE_TOO_LARGE'],
  ])('refuses a body that is not %o', async (told, code) => {
    for (const size of [1, 3, 6, 100]) {
      for (const body of [Buffer.from('abcdef'), chunked([Buffer.from('abc'), Buffer.from('def')])]) {
        await expect(blocksOf(new BodyReader(body, { ...announced, ...told }), size)).rejects.toMatchObject({ code })
      }
    }
  })

  test('ends with the reason of its signal, and ends its source', async () => {
    const given = new AbortController()
    const source = new PassThrough()
    const reading = new BodyReader(source, { ...announced, signal: given.signal }).fill(Buffer.alloc(10))
    given.abort(new Error('given up'))
    await expect(reading).rejects.toThrow('given up')
    expect(source.destroyed).toBe(true)
  })
})

describe('a guarded stream', () => {
  const guard = {
    bytes: 6,
    idleMs: 1000,
    toError: (cause: unknown) => new Error(`broken: ${(cause as Error).message}`),
  }
  afterEach(() => {
    vi.useRealTimers()
  })

  test('has all bytes of its source', async () => {
    const stream = guardStream(Readable.from(chunked([Buffer.from('abc'), Buffer.from('def')])), guard)
    expect(Buffer.concat(await stream.toArray()).toString()).toBe('abcdef')
    expect(await guardStream(Readable.from([]), { ...guard, bytes: 0 }).toArray()).toEqual([])
  })

  test.each([
    ['ends early', chunked([Buffer.from('abc')]), /3 bytes too early/],
    ['goes on too long', chunked([Buffer.from('abcdefg')]), /more bytes/],
  ])('fails when its source %s', async (_, source, reason) => {
    await expect(guardStream(Readable.from(source), guard).toArray()).rejects.toThrow(reason)
  })

  test('fails when its source does, or is closed', async () => {
    for (const error of [new Error('torn'), undefined]) {
      const source = new PassThrough()
      const stream = guardStream(source, guard)
      source.write('abc')
      const read = stream.toArray()
      source.destroy(error)
      await expect(read).rejects.toThrow(error === undefined ? /closed 3 bytes too early/ : /broken: torn/)
    }
  })

  test('fails when no bytes come, but not while its reader does not want any', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const source = new PassThrough({ highWaterMark: 10 * megabyte })
    source.write(Buffer.alloc(2 * megabyte))
    const stream = guardStream(source, { ...guard, bytes: 3 * megabyte })
    stream.read(0)
    while (!source.isPaused()) await setImmediate()
    vi.advanceTimersByTime(60_000)
    expect(stream.destroyed, 'it is full').toBe(false)
    const read = stream.toArray()
    read.catch(() => {})
    while (stream.readableLength > 0 || source.readableLength > 0) await setImmediate()
    vi.advanceTimersByTime(1001)
    await expect(read).rejects.toThrow(/No bytes came for 1000 ms/)
    expect(source.destroyed).toBe(true)
  })

  test('ends with the reason of its signal', async () => {
    const given = new AbortController()
    const stream = guardStream(new PassThrough(), { ...guard, signal: given.signal })
    const read = stream.toArray()
    given.abort(new Error('given up'))
    await expect(read).rejects.toThrow('given up')
  })

  test('ends no process when it fails before anybody reads it', async () => {
    const given = new AbortController()
    const stream = guardStream(new PassThrough(), { ...guard, signal: given.signal })
    given.abort(new Error('given up'))
    expect(stream.errored).toEqual(new Error('given up'))
    expect(stream.listenerCount('error')).toBe(1)
    await expect(stream.toArray()).rejects.toThrow('given up')
  })
})
