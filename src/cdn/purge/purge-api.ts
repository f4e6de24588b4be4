/** One request of a provider's API. */
export interface PurgeRequest {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | undefined
}

/** What an API answered. */
export interface PurgeAnswer {
  readonly status: number
  readonly body: string
}

/** How a provider is told to drop things of one kind. */
export interface PurgeApi {
  /** How many things one request names. */
  readonly most: number
  /** The most characters that these things may have together, separators aside. Default: any number. */
  readonly mostCharacters?: number | undefined
  readonly rate: PurgeRate
  /** The requests that drop things, as the provider has them spelled; all of them have to succeed. */
  requests(things: readonly string[], signal: AbortSignal): readonly PurgeRequest[] | Promise<readonly PurgeRequest[]>
  /** True for an answer that says it is done. Default: those with a status from 200 to 299. */
  accepts?(answer: PurgeAnswer): boolean
  /** True for an answer that another try may change. Default: 408, 425, 429, and those from 500 on. */
  retries?(answer: PurgeAnswer): boolean
}

/** What an API takes: a bucket of tokens that fills up by itself. */
export interface PurgeRate {
  /** How many tokens it holds. */
  readonly burst: number
  readonly perSecond: number
  /** What a token is for. */
  readonly of: 'request' | 'thing'
}
