import type { FileStore } from '../contract.ts'
import type { Helpers } from './encode-chunks.ts'
import type { EncodePlan } from './encode-plan.ts'
import type { VideoTools } from './tools.ts'
import type { VideoProgress } from './types.ts'
import type { VideoSettings } from './video-settings.ts'
import type { WorkFiles } from './work-files.ts'

/** What a video is transcoded with. */
export interface TranscodeParts {
  readonly store: FileStore
  readonly tools: VideoTools
  readonly settings: VideoSettings
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: VideoProgress | undefined
  /** Has chunks encoded elsewhere, when there are several. */
  readonly help?: ((plan: EncodePlan, work: WorkFiles, path: string) => Promise<Helpers | undefined>) | undefined
  /** True for errors after which what is finished is removed, since nobody will go on from it. Default: it is kept. */
  readonly discards?: ((error: unknown) => boolean) | undefined
}
