import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { diskStore } from '../../src/files/drivers/disk/disk-store.ts'
import { holdToSuite } from './file-store-suite.ts'

let folder = ''
const unserved = 'an application serves a folder'

holdToSuite({
  name: 'a folder',
  lacks: {
    direct: unserved,
    post: unserved,
    'signed-sha256': unserved,
    'signed-crc32c': unserved,
    'unchecked-crc32c': unserved,
  },
  open: async () => diskStore({ folder: join(folder, 'files') }),
  start: async () => {
    folder = mkdtempSync(join(tmpdir(), 'plimsoll-files-'))
  },
  stop: async () => rmSync(folder, { recursive: true, force: true }),
})
