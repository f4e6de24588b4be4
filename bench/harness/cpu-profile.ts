import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'

/**
 * Begins a CPU profile of this process; what it resolves to ends it and writes the file. Unlike `--cpu-prof` it leaves out how
 * the process has started and got ready.
 */
export async function startCpuProfile(file: string): Promise<() => Promise<void>> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  return async () => {
    const { profile } = await session.post('Profiler.stop')
    writeFileSync(file, JSON.stringify(profile))
    session.disconnect()
  }
}
