import { readFileSync } from 'node:fs'

/** What lets pages send to a bucket. */
export interface CorsRules {
  readonly s3: {
    readonly CORSRules: readonly {
      readonly AllowedOrigins: string[]
      readonly AllowedMethods: string[]
      readonly AllowedHeaders: string[]
      readonly ExposeHeaders: string[]
      readonly MaxAgeSeconds: number
    }[]
  }
  readonly google: readonly [{ readonly method: readonly string[]; readonly responseHeader: readonly string[] }]
}

/** The rules that the documentation of uploads has to copy, for pages of this origin. */
export function corsRules(origin: string): CorsRules {
  const page = readFileSync(new URL('../../docs/uploads.md', import.meta.url), 'utf8')
  const [s3, google] = [...page.matchAll(/^```json\n(.*?)^```$/gms)].map(
    ([, text]) => JSON.parse(text!.replace('https://example.com', origin)) as unknown,
  )
  return { s3, google } as CorsRules
}
