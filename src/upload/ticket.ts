import type { UploadedFile } from './uploaded-file.ts'

/** A request that sends bytes. */
export interface Signed {
  readonly number: number
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** How often addresses had been renewed when this one was signed. */
  readonly renewal: number
}

/** How the parts of an upload come. */
export interface Parts {
  readonly size: number
  readonly count: number
  readonly url: string
  readonly most: number
  readonly arrived: readonly number[]
  readonly checksums: readonly string[]
}

/** As much of what the service says of an upload as is used. */
export interface Ticket {
  readonly state: 'open' | 'stored' | 'refused'
  readonly self: string
  readonly complete: string
  readonly put: Pick<Signed, 'url' | 'headers'> | null
  readonly parts: Parts | null
  readonly stored: UploadedFile | null
  readonly problem: Readonly<Record<string, unknown>> | null
}
