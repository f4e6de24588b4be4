/** What an upload has become. */
export interface UploadedFile<Result = unknown> {
  readonly file: {
    readonly id: string
    readonly key: string
    readonly name: string
    readonly type: string
    readonly size: number
    readonly sha256: string | null
    readonly crc32c: string | null
    readonly picture: { readonly width: number; readonly height: number } | null
  }
  /** What `onStored` of the service returned. */
  readonly result: Result
}
