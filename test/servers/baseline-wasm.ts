import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Has every process of Node that is started from now on, and inherits our environment, run WebAssembly as V8 compiles it first. PGlite is
 * megabytes of it: V8 would compile what runs often once more, and better, which takes a second of a processor in each of some hundred
 * processes that have ended before it has paid. `folder` is where what they load first is written.
 */
export function preferBaselineWasm(folder: string): void {
  const file = join(folder, 'baseline-wasm.cjs')
  // Flags of V8 that NODE_OPTIONS does not take itself.
  const flags = ['--liftoff-only', '--no-wasm-tier-up', '--no-wasm-dynamic-tiering']
  writeFileSync(file, flags.map((flag) => `require('node:v8').setFlagsFromString('${flag}')\n`).join(''))
  process.env['NODE_OPTIONS'] = [process.env['NODE_OPTIONS'], `--require ${JSON.stringify(file)}`]
    .filter(Boolean)
    .join(' ')
}
