import type { ScriptClient } from './scripts.ts'

/** Says how long keys have left. Sent whole each time: within a transaction a missing script could not be sent again. */
const timesLeft = `local left = {} for i = 1, #KEYS do left[i] = redis.call('PTTL', KEYS[i]) end return left`

/** Up to so many keys are asked for one by one, which is cheaper than a script. */
const mostSingle = 3

/**
 * The values of `names`, and how many milliseconds the first `aged` of them have left; at one moment, so that the time is that
 * of the value. The values do not pass through a script, which would copy them twice.
 */
export async function readAged(
  client: ScriptClient,
  names: readonly string[],
  aged: number,
): Promise<[values: readonly (Buffer | null)[], left: readonly number[]]> {
  const agedNames = names.slice(0, aged)
  const single = aged <= mostSingle
  // Each command answers for itself that its slot has moved; EXEC, which comes last, says only that nothing was done.
  const answers = await Promise.all([
    client.call('MULTI'),
    ...(single ? agedNames.map((name) => client.pttl(name)) : [client.call('EVAL', timesLeft, aged, ...agedNames)]),
    client.call('MGET', ...names),
    client.callBuffer('EXEC'),
  ])
  const left = answers.at(-1) as unknown[]
  const values = left.pop() as (Buffer | null)[]
  return [values, (single ? left : left[0]) as number[]]
}
