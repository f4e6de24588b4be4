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
const options = {
  quick: values.quick,
  profile: values.profile,
  contestants: values.contestants?.split(','),
  workloads: values.workloads?.split(','),
}
const suite = positionals.length === 1 ? positionals[0] : undefined

switch (suite) {
  case 'query': {
    prepare({ prisma: true })
    const { runQuerySuite } = await import('./suites/query.ts')
    await runQuerySuite(options)
    break
  }
  case 'cache': {
    prepare({ prisma: false })
    const { runCacheSuite } = await import('./suites/cache/cache-suite.ts')
    await runCacheSuite(options)
    break
  }
  case 'jobs': {
    prepare({ prisma: false })
    const { runJobSuite } = await import('./suites/jobs/jobs-suite.ts')
    await runJobSuite(options)
    break
  }
  case 'files': {
    prepare({ prisma: false })
    const { runFilesSuite } = await import('./suites/files/files-suite.ts')
    await runFilesSuite(options)
    break
  }
  default:
    console.error(
      'Usage: npm run bench -- query|cache|jobs|files [--quick] [--contestants a,b] [--workloads W1,l2-hit] [--profile]',
    )
    process.exit(2)
}
