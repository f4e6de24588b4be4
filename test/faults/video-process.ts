// A process of its own that transcodes a video, so that it can be killed: node video-process.ts STORE FOLDER OPTIONS
import { diskStore } from '../../src/files/drivers/disk/disk-store.ts'
import { findTools } from '../../src/files/video/tools.ts'
import { transcode } from '../../src/files/video/transcode.ts'
import type { VideoOptions } from '../../src/files/video/types.ts'
import { videoSettings } from '../../src/files/video/video-settings.ts'

const [store = '', folder = '', options = '{}'] = process.argv.slice(2)
const settings = videoSettings({ ...(JSON.parse(options) as VideoOptions), folder })
await transcode(
  { source: 'in', to: 'out' },
  {
    store: diskStore({ folder: store }),
    tools: await findTools(),
    settings,
    onProgress: (share) => console.log(share),
  },
)
