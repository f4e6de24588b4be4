import { s3Store } from '../../src/files/drivers/s3/s3-store.ts'
import { findRadosgw, radosgwUrl } from '../servers/radosgw.ts'
import { holdToSuite } from './file-store-suite.ts'

let bucket = ''

holdToSuite({
  name: 'a bucket of Ceph',
  lacks: {
    localPath: 'its files are elsewhere',
    crc32c: 'Ceph 16 keeps none',
    'signed-crc32c': 'Ceph 16 ignores them',
  },
  runs: findRadosgw() !== undefined,
  open: () => s3Store({ url: bucket }),
  start: async () => {
    bucket = await radosgwUrl()
  },
})
