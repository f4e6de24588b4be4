import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/servers/longest-first.ts'

/** Tests that leave nothing behind in their process: their files share one, because to begin one takes longer than most of them. */
const tidy = [
  'test/unit/**/*.test.ts',
  'test/integration/{db,reports}/**/*.test.ts',
  'test/integration/http/{files,uploads}/*.test.ts',
  // The others change variables or the folder of their process, or what traces it, or count what it loads.
  'test/integration/http/!(cached-headers|cached-shared|closing|create-app|tracing).test.ts',
]

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'tidy', include: tidy, isolate: false } },
      { extends: true, test: { name: 'apart', include: ['test/**/*.test.ts'], exclude: tidy } },
    ],
    globalSetup: ['test/servers/global-setup.ts'],
    setupFiles: ['test/servers/quick-pglite.ts'],
    // One more than the cores of a small machine: many tests wait for servers, or for time to pass.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // Tests of memory measure it after a collection.
    execArgv: ['--expose-gc'],
    // A condition is waited for as long as the machine needs: time-outs here only end what has failed anyway.
    testTimeout: 120_000,
    hookTimeout: 300_000,
    // Once more, named in the end, and not where the next try would be of other values: one of six thousand may have met a moment that it did not think of.
    retry: process.env['CI'] ? { count: 1, condition: /^(?!Property failed)/ } : 0,
    expect: { poll: { timeout: 20_000 } },
    // .ci/run counts from the JSON report.
    reporters: process.env['CI'] ? ['default', ['json', { outputFile: 'coverage/tests.json' }]] : ['default'],
  },
})
