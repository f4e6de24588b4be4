import { afterAll, beforeAll, describe, test } from 'vitest'
import { checksumCases } from './file-store-checksums.ts'
import { conditionCases } from './file-store-conditions.ts'
import { directCases } from './file-store-direct.ts'
import { keyCases } from './file-store-keys.ts'
import { objectCases } from './file-store-objects.ts'
import { uploadCases } from './file-store-uploads.ts'
import type { FileCase, FileEngine } from './file-store.ts'

const suite = {
  objects: objectCases,
  checksums: checksumCases,
  keys: keyCases,
  conditions: conditionCases,
  uploads: uploadCases,
  direct: directCases,
}

/** A store, and how its server is started. */
export interface SuiteEngine extends FileEngine {
  /** False when its server is missing. Default true. */
  readonly runs?: boolean
  start?(): Promise<void>
  stop?(): Promise<void>
}

/** Declares every promise of the contract on one store, or those of some `parts`; what it lacks is skipped with its reason in the name. */
export function holdToSuite(engine: SuiteEngine, parts = Object.keys(suite) as (keyof typeof suite)[]): void {
  const cases: [string, readonly FileCase[]][] = parts.map((part) => [part, suite[part]])
  describe.skipIf(engine.runs === false)(`the store of files in ${engine.name}`, () => {
    beforeAll(async () => engine.start?.())
    afterAll(async () => engine.stop?.())
    describe.each(cases)('%s', (_, list) => {
      for (const { name, needs = [], run } of list) {
        const reason = needs.map((need) => engine.lacks[need]).find((lack) => lack !== undefined)
        test.skipIf(reason !== undefined)(reason === undefined ? name : `${name} (${reason})`, () => run(engine))
      }
    })
  })
}
