// Writes a report of so many rows as a worker would, and prints the most memory that this process has held, in megabytes.
import { z } from 'zod'
import { createApp, defineReport } from '../../../src/app/index.ts'
import { relations } from '../../faults/service.ts'

const [databaseUrl, folder, format, rows] = process.argv.slice(2)
const report = defineReport('reports.large', {
  relations,
  input: z.object({ rows: z.number() }),
  rows: ({ rows: most }, { db }) => db.counters.filter({ id: { lte: most } }).orderBy('id'),
  columns: [
    'id',
    'n',
    { header: 'Text', value: ({ id }) => `Row ${id} & its ${'text '.repeat(id % 40)}` },
    { header: 'When', value: ({ id }) => new Date(id * 1e6) },
    { header: 'Large', value: ({ id }) => BigInt(id) ** 5n },
  ],
  format: format as 'csv' | 'xlsx',
})
const app = await createApp({
  relations,
  databaseUrl: databaseUrl!,
  storageUrl: `file:${folder}`,
  secret: 'a secret of the tests',
  jobs: [report],
  work: true,
})
const output = await (await report.enqueue({ rows: Number(rows) })).result()
await app.close()
console.log(JSON.stringify({ output, megabytes: Math.round(process.resourceUsage().maxRSS / 1024) }))
