import { setImmediate } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Breaker, type BreakerOptions, type Run } from '../../../src/core/breaker.ts'

class Gone extends Error {}

/** A breaker around a server that is `there` or not. */
function setup(own: Partial<BreakerOptions> = {}) {
  const server = { there: true, probes: 0, states: [] as string[] }
  const breaker = new Breaker({
    timeoutMs: 40,
    probe: async () => {
      server.probes++
      if (!server.there) throw new Error('No answer.')
    },
    unreachable: (cause) => new Gone('It is gone.', { cause }),
    onState: (state) => server.states.push(state),
    ...own,
  })
  onTestFinished(() => breaker.close())
  return { server, breaker }
}

const never = (): Promise<never> => new Promise(() => {})

describe('a breaker', () => {
  test('hands on what its work gives', async () => {
    const { breaker, server } = setup()
    expect(await breaker.run(async () => 7)).toBe(7)
    expect(server.states).toEqual([])
  })

  test('gives up work that takes too long, and whatever else is under way', async () => {
    const { breaker, server } = setup()
    server.there = false
    const began = performance.now()
    const results = await Promise.allSettled([breaker.run(never), breaker.run(never)])
    for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: expect.any(Gone) })
    expect(performance.now() - began).toBeGreaterThanOrEqual(35)
    expect(breaker.cause).toMatchObject({ message: 'It did not answer within 40 ms.' })
    expect(server.states).toEqual(['down'])
  })

  test('refuses work at once while it is open, without starting it', async () => {
    const { breaker, server } = setup()
    server.there = false
    const cause = new Error('Reset.')
    breaker.trip(cause)
    let started = false
    const refused = await breaker.run(async () => (started = true)).catch((error: unknown) => error)
    expect(refused).toMatchObject({ cause })
    expect(started).toBe(false)
  })

  test('opens on an outage, and passes on what is none', async () => {
    const { breaker, server } = setup({ isOutage: (error) => (error as Error).message === 'Reset.' })
    server.there = false
    const harmless = new Error('Wrong type.')
    await expect(breaker.run(() => Promise.reject(harmless))).rejects.toBe(harmless)
    expect(breaker.state).toBe('up')
    await expect(breaker.run(() => Promise.reject(new Error('Reset.')))).rejects.toThrow(Gone)
    expect(breaker.state).toBe('down')
  })

  test('takes what work throws before its first await as what it rejects with', async () => {
    const { breaker, server } = setup()
    server.there = false
    const thrown = breaker.run(() => {
      throw new Error('Reset.')
    })
    await expect(thrown).rejects.toThrow(Gone)
  })

  test('probes by itself, recovers, and closes', async () => {
    const recovered: string[] = []
    const { breaker, server } = setup({
      recover: async (run: Run) => {
        recovered.push(`${breaker.state} ${await run(async () => 'through')}`)
        if (recovered.length === 1) throw new Error('Not yet.')
      },
    })
    server.there = false
    breaker.trip(new Error('Reset.'))
    await expect.poll(() => server.probes).toBeGreaterThan(1)
    expect(breaker.state).toBe('down')
    server.there = true
    await expect.poll(() => breaker.state).toBe('up')
    expect(recovered).toEqual(['down through', 'down through'])
    expect(await breaker.run(async () => 1)).toBe(1)
    expect(server.states).toEqual(['down', 'up'])
  })

  test('stays open when the connection breaks while it recovers', async () => {
    let breaks = 1
    const { breaker, server } = setup({
      recover: async () => {
        if (breaks-- > 0) breaker.trip(new Error('Reset again.'))
      },
    })
    breaker.trip(new Error('Reset.'))
    await expect.poll(() => breaker.state).toBe('up')
    expect(server.probes).toBe(2)
    expect(server.states).toEqual(['down', 'up'])
  })

  test('bounds a probe', async () => {
    let hangs = true
    const { breaker } = setup({ probeTimeoutMs: 40, probe: () => (hangs ? never() : Promise.resolve()) })
    breaker.trip(new Error('Reset.'))
    await expect.poll(() => (breaker.cause as Error).message).toMatch(/within 40 ms/)
    hangs = false
    await expect.poll(() => breaker.state).toBe('up')
  })

  test('that is down initially says whether the first attempt succeeded', async () => {
    const { breaker, server } = setup({ initially: 'down' })
    server.there = false
    await expect(breaker.run(async () => 1)).rejects.toThrow(Gone)
    expect(await breaker.attempt()).toBe(false)
    server.there = true
    await expect.poll(() => breaker.attempt()).toBe(true)
    expect(server.states).toEqual(['up'])
  })

  test('does not count the time in which this process was busy', async () => {
    const { breaker } = setup()
    const answer = breaker.run(async () => {
      // The answer lies in the socket when the work of this process, which takes longer than the time-out, is done.
      await setImmediate()
      const until = performance.now() + 200
      while (performance.now() < until);
      await setImmediate()
      return 'answer'
    })
    expect(await answer).toBe('answer')
  })

  test('waits longer for heavy work, and for what stands behind it', async () => {
    const { breaker, server } = setup()
    server.there = false
    const began = performance.now()
    const heavy = breaker.run(never, 5).catch(() => performance.now() - began)
    const behind = breaker.run(never).catch(() => performance.now() - began)
    expect(Math.min(await heavy, await behind)).toBeGreaterThan(150)
  })

  test('waits while bytes come in, but not for ever', async () => {
    let bytes = 0
    const { breaker, server } = setup({ progress: () => bytes++ })
    server.there = false
    const began = performance.now()
    await expect(breaker.run(never)).rejects.toThrow(Gone)
    expect(performance.now() - began).toBeGreaterThan(250)
  })

  test('that is closed refuses, and probes no more', async () => {
    const { breaker, server } = setup()
    const under = breaker.run(never)
    breaker.close()
    await expect(under).rejects.toThrow(Gone)
    await expect(breaker.run(async () => 1)).rejects.toThrow(Gone)
    expect(await breaker.attempt()).toBe(false)
    expect(server.probes).toBe(0)
  })
})
