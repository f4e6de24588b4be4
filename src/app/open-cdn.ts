import { isPlimsollError, PlimsollError } from '../core/errors.ts'
import { openCdn, type Cdn, type CdnOptions } from '../cdn/index.ts'
import { condenseTags, type Carrier } from '../outbox/index.ts'
import { optionOrEnvironment } from './environment.ts'

/** The options of the CDN of an application. */
export interface AppCdnOptions extends CdnOptions {
  /**
   * Purges the tags of every write. Default: where the CDN purges by tag, and a line on stderr where it does not; true refuses to start
   * there; false leaves it to `app.cdn.purgeTags` without a word, where a purge costs money or what the CDN serves never changes.
   */
  readonly purgeWrites?: boolean | undefined
}

/** The kind of effect that purges tags at the CDN: its items are tags. */
export const purgeKind = 'cdn.purge'

/** More tags than this are purged by their tables, so that a provider that takes few of them still gets done in time. */
const mostTags = 100
/** After a failure purges are left where they are recorded for so long, or as long as the CDN asks. In milliseconds. */
const restMs = 2000
/** How often a refusal is worth a line. In milliseconds. */
const quietMs = 60_000

/** The CDN of an application, and what purges the tags of writes there. */
export interface AppCdn {
  readonly cdn: Cdn
  /** Undefined when writes are not purged. */
  readonly carrier: Carrier | undefined
  /** Ends purges that are under way; before the outbox, whose relay waits for them. */
  close(): void
}

/**
 * Opens the CDN that `cdn` or CDN_URL names. One that is given open already is not closed.
 *
 * @throws PLIMSOLL_OPTION_INVALID; PLIMSOLL_CDN_UNSUPPORTED when writes are to be purged and cannot be
 */
export async function openAppCdn(options: AppCdnOptions | Cdn = {}): Promise<AppCdn> {
  const given = 'purgeTags' in options
  const cdn = given ? options : openCdn({ ...options, url: optionOrEnvironment(options.url, 'CDN_URL') })
  const wanted = given || options.purgeWrites !== false
  if (wanted && cdn.provider !== 'none' && !cdn.features.purgesTags) {
    await tellUnpurged(cdn, { required: !given && options.purgeWrites === true })
  }
  return {
    cdn,
    carrier: wanted && cdn.features.purgesTags ? purgeCarrier(cdn) : undefined,
    close: () => {
      if (!given) cdn.close()
    },
  }
}

/** Says that nothing which is written is purged, and what would change that. @throws PLIMSOLL_CDN_UNSUPPORTED when it is required */
async function tellUnpurged(cdn: Cdn, { required }: { readonly required: boolean }): Promise<void> {
  try {
    // None: it says what is missing.
    await cdn.purgeTags([])
  } catch (error) {
    if (!isPlimsollError(error)) throw error
    const { message, code, details } = error
    if (required) throw new PlimsollError(code, `cdn.purgeWrites is true. ${message}`, { cause: error, details })
    console.error(
      `What is written stays at the CDN as it was until its time is over. ${message} If that is meant, say so: createApp({ cdn: { purgeWrites: false } }).`,
    )
  }
}

/** Purges tags of writes. What it rejects with keeps them recorded, to be tried again. */
function purgeCarrier(cdn: Cdn): Carrier {
  let restsUntil = 0
  let quietUntil = 0
  return async (tags) => {
    // One row after another is tried when several have failed together; a CDN that is away need not be asked for each.
    if (performance.now() < restsUntil) throw new Error('The CDN was away a moment ago.')
    try {
      await cdn.purgeTags(tags.length > mostTags ? [...condenseTags(new Set(tags))] : tags)
    } catch (error) {
      if (isPlimsollError(error, 'PLIMSOLL_CDN_UNREACHABLE')) {
        restsUntil = performance.now() + Math.max(restMs, Number(error.details.retryMs) || 0)
      } else if (performance.now() >= quietUntil) {
        quietUntil = performance.now() + quietMs
        console.error(
          `What was written stays at the CDN as it was: ${String(error)} It is tried again; see plimsoll.outbox.`,
        )
      }
      throw error
    }
  }
}
