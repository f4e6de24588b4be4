export type {
  Cdn,
  CdnCookie,
  CdnFeatures,
  CdnGrant,
  CdnGrantOptions,
  CdnProvider,
  CdnUrlOptions,
  PurgeOptions,
  TagHeader,
} from './contract.ts'
export { openCdn, type CdnOptions } from './open-cdn.ts'
