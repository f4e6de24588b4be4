import { createStudio } from './app.ts'

/** What `plimsoll worker` runs the jobs of. */
export const app = await createStudio()

// Started by the studio, it ends with it, however that ends.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
