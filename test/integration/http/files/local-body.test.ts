import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { describe, expect, onTestFinished, test } from 'vitest'
import { LocalBody } from '../../../../src/http/files/local-body.ts'

const size = 1024 * 1024

async function setup(): Promise<() => LocalBody> {
  const folder = await mkdtemp(join(tmpdir(), 'plimsoll-body-'))
  await writeFile(join(folder, 'file'), Buffer.alloc(size))
  const file = await open(join(folder, 'file'))
  onTestFinished(async () => {
    await file.close()
    await rm(folder, { recursive: true })
  })
  return () => new LocalBody(file, { first: 0, last: size - 1 })
}

describe('the body of a file', () => {
  test('comes in large pieces, also after many that were given up before they had a connection', async () => {
    const bodyOf = await setup()
    const waiting = Array.from({ length: 60 }, () => {
      const written = Promise.withResolvers<void>()
      // An answer behind another one on its connection: it takes what it is given, and never says that it is gone.
      const answer = new Writable({ highWaterMark: size, write: () => written.resolve() })
      return { body: bodyOf(), answer, written: written.promise }
    })
    for (const { body, answer } of waiting) body.pipe(answer)
    await Promise.all(waiting.map(({ written }) => written))
    for (const { body } of waiting) {
      body.destroy()
      await once(body, 'close')
    }
    const pieces: number[] = []
    const answer = new Writable({
      write(chunk: Buffer, _, done) {
        pieces.push(chunk.length)
        done()
      },
    })
    bodyOf().pipe(answer)
    await once(answer, 'finish')
    expect(pieces).toEqual([262_144, 262_144, 262_144, 262_144])
  })
})
