/** How far ffmpeg is, in seconds of its output, by a line that it writes with `-progress`; undefined for other lines. */
export function secondsOf(line: string): number | undefined {
  const microseconds = /^out_time_us=(\d+)/.exec(line)?.[1]
  return microseconds === undefined ? undefined : Number(microseconds) / 1e6
}

/** How many frames it has written to its first output. */
export function framesOf(line: string): number | undefined {
  const frames = /^frame=(\d+)/.exec(line)?.[1]
  return frames === undefined ? undefined : Number(frames)
}
