// New databases of PGlite begin as copies of one that was made for the whole run: making one takes PGlite seconds.
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type * as Pglite from '@electric-sql/pglite'
import { inject, vi } from 'vitest'

vi.mock('@electric-sql/pglite', async (importOriginal) => {
  const { PGlite, ...others } = await importOriginal<typeof Pglite>()
  let archive: Blob | undefined
  const create = (options: Pglite.PGliteOptions): Promise<unknown> => {
    const { dataDir: folder } = options
    if (folder !== undefined) {
      if (!existsSync(folder)) cpSync(join(inject('pgliteTemplate'), 'db'), folder, { recursive: true })
      return PGlite.create(options)
    }
    archive ??= new Blob([readFileSync(join(inject('pgliteTemplate'), 'db.tar'))])
    return PGlite.create({ ...options, loadDataDir: archive })
  }
  return { ...others, PGlite: { create } }
})
