// Who downloads, in a process of its own.
import { serveWorker } from '../../harness/worker.ts'
import { download, type DownloadLoad } from './download-load.ts'

serveWorker<DownloadLoad>(download)
