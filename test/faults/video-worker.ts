// A process that works on shared videos, until it is killed.
import { createApp } from '../../src/app/index.ts'
import { relations } from './service.ts'
import { secret, sharedVideo } from './shared-video.ts'

const {
  DATABASE_URL: databaseUrl = '',
  STORAGE_URL: storageUrl = '',
  FFMPEG: ffmpeg = '',
  FOLDER: folder,
} = process.env
await createApp({ relations, secret, databaseUrl, storageUrl, jobs: [sharedVideo({ ffmpeg, folder })], work: true })
process.on('disconnect', () => process.exit())
