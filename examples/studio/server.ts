import { isPlimsollError } from 'plimsoll'
import { createStudio } from './app.ts'
import { startWorker, type WorkerProcess } from './worker-process.ts'

const report = (line: string): void => console.log(line)

try {
  const app = await createStudio({ report })
  let worker: WorkerProcess | undefined
  app.fastify.addHook('onClose', async () => worker?.close())
  try {
    const url = await app.listen()
    app.closeOnSignals()
    report(`
  Waterline, a small publishing house on Plimsoll, is open:

  web page       ${url}
  API reference  ${url}/docs
  description    ${url}/openapi.json
  try            curl -g '${url}/api/videos?size=3&filter[tags.slug]=bread&fields=id,title,channel.name'

  Ctrl+C closes it; the data stays.`)
    // What is embedded belongs to one process, which runs the jobs too.
    if (app.postgres.engine === 'postgres') worker = startWorker(report)
  } catch (error) {
    await app.close()
    throw error
  }
} catch (error) {
  console.error(explain(error))
  process.exitCode = 1
}

/** What went wrong in words that lead to the fix; anything unforeseen with its stack. */
function explain(error: unknown): string {
  if (isPlimsollError(error)) return `${error.code}: ${error.message}\n${error.fix}`
  const { code, port, stack } = error as NodeJS.ErrnoException & { port?: number }
  if (code === 'EADDRINUSE') {
    return `Port ${port} is in use. Close what uses it, or choose another: PORT=${(port ?? 0) + 1} npm start`
  }
  if (code === 'EACCES') return `Port ${port} may not be opened by this user. Choose another: PORT=3000 npm start`
  return stack ?? String(error)
}
