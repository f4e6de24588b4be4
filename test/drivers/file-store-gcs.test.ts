import { gcsStore } from '../../src/files/drivers/gcs/gcs-store.ts'
import { startGoogleStorage, type GoogleStorage } from '../servers/google-storage.ts'
import { holdToSuite } from './file-store-suite.ts'

let google: GoogleStorage | undefined

holdToSuite({
  name: 'a bucket of Google, as it is described',
  lacks: {
    localPath: 'its files are elsewhere',
    'signed-sha256': 'it knows no SHA-256',
    'unchecked-crc32c': 'it checks them',
    'signed-cache-control': 'it has no such parameter',
  },
  open: () => gcsStore({ client: google!.client(), bucket: google!.bucket }),
  start: async () => {
    google = await startGoogleStorage()
  },
  stop: async () => google?.stop(),
})
