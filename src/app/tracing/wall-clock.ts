/** By how many milliseconds the two clocks of a process may differ; that of the day has whole milliseconds only. */
const tolerance = 2

/**
 * Makes a clock that tells the time of day in milliseconds, with fractions. `performance` alone drifts away from it in a
 * process that runs for weeks, or whose machine was asleep, and the parts of a trace come from several processes.
 */
export function createWallClock(): () => number {
  let origin = performance.timeOrigin
  return () => {
    const elapsed = performance.now()
    const today = Date.now()
    if (Math.abs(origin + elapsed - today) > tolerance) origin = today - elapsed
    return origin + elapsed
  }
}
