import { isPlimsollError } from '../core/errors.ts'
import { openCdn, type Cdn, type CdnOptions } from '../cdn/index.ts'
import { condenseTags, type Carrier } from '../outbox/index.ts'
import { optionOrEnvironment } from './environment.ts'

/** The options of the CDN of an application. */
export interface AppCdnOptions extends CdnOptions {
  /**
   * Purges the tags of every write. Default: true where the CDN purges by tag; false leaves it to `app.cdn.purgeTags`, where a purge costs money
   * or what the CDN serves never changes.
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
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function openAppCdn(options: AppCdnOptions | Cdn = {}): AppCdn {
  const given = 'purgeTags' in options
  const cdn = given ? options : openCdn({ ...options, url: optionOrEnvironment(options.url, 'CDN_URL') })
  const wanted = given || options.purgeWrites !== false
  return {
    cdn,
    carrier: wanted && cdn.features.purgesTags ? purgeCarrier(cdn) : undefined,
    close: () => {
      if (!given) cdn.close()
    },
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
