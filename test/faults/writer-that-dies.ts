import { observe } from '../../src/core/events.ts'
import { openService } from './service.ts'

// A process that is killed when its write is committed and nobody has been told.
const service = await openService({
  databaseUrl: process.env['DATABASE_URL']!,
  cacheUrl: process.env['CACHE_URL']!,
})
observe((event) => {
  if (event.type === 'transaction' && event.outcome === 'commit') process.kill(process.pid, 'SIGKILL')
})
await service.write(1)
