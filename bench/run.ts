// `npm run bench -- SUITE [--quick]`. Installs the bench's own packages first, so nothing else of it may be imported before.
import { parseArgs } from 'node:util'
import { prepare } from './harness/prepare.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    contestants: { type: 'string' },
    workloads: { type: 'string' },
  },
})

if (positionals.length !== 1 || positionals[0] !== 'query') {
  console.error('Usage: npm run bench -- query [--quick] [--contestants a,b] [--workloads W1,W2-c32] [--profile]')
  process.exit(2)
}
prepare()
const { runQuerySuite } = await import('./suites/query.ts')
await runQuerySuite({
  quick: values.quick,
  profile: values.profile,
  contestants: values.contestants?.split(','),
  workloads: values.workloads?.split(','),
})
