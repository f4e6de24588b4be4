import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openPostgres } from '../../src/postgres/index.ts'
import { copyPgliteTemplate } from '../servers/pglite-template.ts'
import { run, valueOf } from './door.ts'

const door = JSON.stringify(new URL('../../src/postgres/index.ts', import.meta.url).href)

interface Place {
  readonly url: string
  readonly folder: string
  readonly lock: string
}

/** A folder that is not there. */
function nowhere(): Place {
  const temporary = mkdtempSync(join(tmpdir(), 'plimsoll-folder-'))
  onTestFinished(() => rmSync(temporary, { recursive: true, force: true }))
  const folder = join(temporary, 'some/where/db')
  return { url: `pglite:${folder}`, folder, lock: `${folder}.lock` }
}

/** A folder with a new database. */
function somewhere(): Place {
  const place = nowhere()
  copyPgliteTemplate(place.folder)
  return place
}

const taken = { code: 'PLIMSOLL_DATABASE_LOCKED' }

describe('a folder of PGlite', () => {
  test('is made where it is missing, keeps its data, and is free again once closed', async () => {
    const { url, lock } = nowhere()
    for (const expected of ['0', '1']) {
      await using db = await openPostgres({ url })
      await run(db, 'create table if not exists t (n int)')
      expect(await valueOf(db, 'select count(*) from t')).toBe(expected)
      await run(db, 'insert into t values (1)')
    }
    await expect(readFile(lock)).rejects.toThrow('ENOENT')
  })

  test('opens once: not twice in a process, not from a thread of it, and not from another process', async () => {
    const { url } = somewhere()
    await using _db = await openPostgres({ url })
    await expect(openPostgres({ url })).rejects.toMatchObject({
      ...taken,
      message: expect.stringContaining(`open in process ${process.pid}`),
    })
    const script = `import(${door}).then((m) => m.openPostgres({ url: ${JSON.stringify(url)} })).then(() => 'opened', (e) => e.code)`
    const thread = new Worker(`${script}.then((m) => require('node:worker_threads').parentPort.postMessage(m))`, {
      eval: true,
    })
    expect(await new Promise((resolve) => thread.once('message', resolve))).toBe(taken.code)
    await thread.terminate()
    const other = spawnSync(process.execPath, ['-e', `${script}.then(console.log)`], { encoding: 'utf8' })
    expect(other.stdout.trim()).toBe(taken.code)
  })

  test('left behind by a process that was killed, opens again with what was committed', async () => {
    const { url } = somewhere()
    const script = `import { openPostgres, createStatement } from ${door}
      const db = await openPostgres({ url: ${JSON.stringify(url)} })
      const run = (text) => db.execute(createStatement(text), [])
      await run('create table t (n int)')
      for (let n = 0; ; n++) { await run('insert into t values (' + n + ')'); console.log(n) }`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let acknowledged = -1
    for await (const chunk of child.stdout) {
      acknowledged = Number(String(chunk).trim().split('\n').at(-1))
      if (acknowledged > 50) break
    }
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
    await using db = await openPostgres({ url })
    expect(Number(await valueOf(db, 'select count(*) from t'))).toBeGreaterThan(acknowledged)
  })

  test('is taken over by one only when many find it left behind', async () => {
    const { url, lock } = somewhere()
    writeFileSync(lock, '999999999 1')
    const script = `import(${door}).then((m) => m.openPostgres({ url: ${JSON.stringify(url)} })).then(() => console.log('opened') ?? setTimeout(() => {}, 4000), (e) => console.log(e.code))`
    const outcomes = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
        let output = ''
        for await (const chunk of child.stdout) output += String(chunk)
        return output.trim()
      }),
    )
    expect(outcomes.toSorted()).toEqual([...Array.from({ length: 3 }, () => taken.code), 'opened'])
  })

  test('keeps no process alive whose work is done, by the timers that PostgreSQL sets after statements', () => {
    const { url } = somewhere()
    const script = `import { openPostgres, createStatement } from ${door}
      const db = await openPostgres({ url: ${JSON.stringify(url)} })
      for (const text of ['create table t (n int)', 'insert into t values (1)', 'select n from t'])
        await db.execute(createStatement(text), [])
      // The door's own ticks come before it, PostgreSQL's after ten seconds.
      setTimeout(() => setImmediate(() => console.log(process.getActiveResourcesInfo().join())), 500)`
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    expect(child.stderr).toBe('')
    expect(child.stdout).not.toContain('Timeout')
  })
})
