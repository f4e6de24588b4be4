// A service with a cache in its memory that has read and written, and has nothing else to do: it must end by itself.
import { openService } from '../../faults/service.ts'

const service = await openService({ databaseUrl: process.env['DATABASE_URL']!, cacheUrl: 'memory:' })
await service.read(1)
await service.write(1)
// Its channel to the test would keep the process.
process.disconnect()
