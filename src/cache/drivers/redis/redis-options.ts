import type { Cluster, Redis } from 'ioredis'
import type { Duration } from '../../../core/duration.ts'
import type { Size } from '../../../core/size.ts'

/** Where the Redis is: a URL, or a client whose settings are copied. The client itself is left alone, and not closed. */
export type RedisSource =
  | {
      /**
       * `redis://[user:password@]host[:6379][/db]`, `rediss://…` for TLS, `redis://a:7000,b:7000?cluster=true` for a cluster, of
       * which some nodes are enough.
       *
       * In the query: `cluster`, and {@link RedisStoreOptions} but for `tls`; for TLS, `ca`, `cert` and `key` (paths of PEM
       * files), `servername`, and `verify=false`, which trusts any certificate.
       */
      readonly url: string
    }
  | { readonly client: Redis | Cluster }

/** The options of {@link redisStore}. */
export interface RedisStoreOptions {
  /** What every key begins with: letters, digits and `. _ : -`. Applications on one Redis need one each. Default `'plimsoll'`. */
  readonly namespace?: string | undefined
  /** How long one operation may take before the store counts as unreachable. Default 100 ms. */
  readonly timeout?: Duration | undefined
  /** How long the version of a tag is kept after it was made; what depends on it ends with it. Default 7 days. */
  readonly versionTtl?: Duration | undefined
  /**
   * The largest entry; larger ones are refused, because Redis serves nobody else while it copies one. Default 16 MB; Redis itself
   * takes 512 MB.
   */
  readonly maxEntryBytes?: Size | undefined
}
