// A process that commits a write and never gets to purge it: the test kills it when it says that it has committed.
import { openLibrary } from './library.ts'

const [databaseUrl, cdnUrl] = process.argv.slice(2)
const app = await openLibrary({ databaseUrl: databaseUrl!, cdn: { url: cdnUrl! } })
await app.db.books.filter({ id: 1 }).update({ title: 'written by one that was killed' })
process.send?.('committed')
