import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/types/**', '**/node_modules/**'],
    globalSetup: ['test/servers/global-setup.ts'],
    // Tests of memory measure it after a collection.
    execArgv: ['--expose-gc'],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    // A condition is waited for as long as the machine needs: time-outs here only end what has failed anyway.
    expect: { poll: { timeout: 20_000 } },
    // .ci/run counts from the JSON report.
    reporters: process.env['CI'] ? ['default', ['json', { outputFile: 'coverage/tests.json' }]] : ['default'],
  },
})
