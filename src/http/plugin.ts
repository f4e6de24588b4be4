import type { FastifyInstance, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import type { Cache } from '../cache/types.ts'
import type { Cdn, CdnGrantOptions } from '../cdn/contract.ts'
import type { JobHandle, Jobs } from '../jobs/index.ts'
import { checkSurrogateKeys, type SurrogateKeys } from './caching/surrogate-headers.ts'
import type { FileStore } from '../files/index.ts'
import type { Uploads } from '../files/uploads/open-uploads.ts'
import type { Transaction } from '../postgres/index.ts'
import { answerAccepted } from './jobs/accepted.ts'
import { mountDownloads, type DownloadOptions } from './files/downloads.ts'
import { grantAddresses, type GrantedAddresses, type GrantedPaths } from './files/grant-addresses.ts'
import { answerZip, type ZipEntry, type ZipOptions } from './files/answer-zip.ts'
import type { UploadOptions } from './files/upload-options.ts'
import { mountUploads } from './files/uploads.ts'
import { mountJobStatus, type JobStatusOptions, type MountedJobs } from './jobs/job-status.ts'
import type { ApiInfo } from './openapi/openapi-document.ts'
import type { AddResource } from './resource-options.ts'
import { mountResource, type MountedResource } from './resource.ts'
import { serveDescription } from './serve-description.ts'

/** The options of {@link plimsoll}. */
export interface PlimsollOptions {
  /** Kept as `fastify.db`, for handlers of your own, unless there is one already. */
  readonly db?: object | undefined
  /** Shown in the API description. */
  readonly info?: ApiInfo | undefined
  /** Where the API description lies, or false for none. Default `'/openapi.json'`. */
  readonly openapi?: string | false | undefined
  /**
   * Where the page of the API description lies, or false for none. Default `'/docs'`; it needs `openapi`. With a slash at its
   * end or without one: the other address leads to it.
   */
  readonly docs?: string | false | undefined
  /** Where resources with the option `cache` keep their answers, such as `openCache({ store: memoryStore() })`. */
  readonly cache?: Cache | undefined
  /**
   * Names what public answers were made of for a CDN, so that it can be told to drop them: in the header `Surrogate-Key` (Fastly,
   * Varnish), `Cache-Tag` (Cloudflare, Google), `'both'`, or the one that a CDN of `plimsoll/cdn` reads; a purge names them by
   * {@link surrogateKey}. Default false: without a CDN that takes them off, clients would see the names of tables.
   */
  readonly surrogateKeys?: SurrogateKeys | false | undefined
  /**
   * The CDN before the service, of `plimsoll/cdn`: downloads that it serves are sent to it as bytes, and `reply.grant` opens folders there.
   * Default: none.
   */
  readonly cdn?: Cdn | undefined
  /** Told of errors in resources that are the service's own; they are logged by Fastify too. */
  readonly onError?: ((error: unknown, request: FastifyRequest) => void) | undefined
}

declare module 'fastify' {
  interface FastifyInstance {
    /** Adds a list and its rows; see {@link AddResource}. */
    resource: AddResource
    /** Shows jobs to their owners, at `/jobs/:id` or under another path. */
    jobStatus: (jobs: Jobs, options: JobStatusOptions) => void
    /** Serves files of a store at a path, such as `/files`; see {@link DownloadOptions}. */
    downloads: (files: FileStore, path: string, options?: DownloadOptions) => void
    /** Takes files at a path, such as `/uploads/videos`; see {@link UploadOptions}. */
    uploads: (uploads: Uploads, path: string, options: UploadOptions<Transaction>) => void
    /** What the plugin was given as `db`. */
    db: object | undefined
    /** The resources that were added so far. */
    readonly plimsollResources: readonly MountedResource[]
    /** The paths of all routes that the plugin added, with the prefixes around them, as Fastify has them. */
    readonly plimsollPaths: readonly string[]
  }
  interface FastifyReply {
    /** Answers 202 Accepted, with where the job can be seen; `jobStatus` says where that is. */
    accepted(handle: Pick<JobHandle, 'id' | 'duplicate'>): FastifyReply
    /** Answers with an archive of many files, made as it is read. @throws PLIMSOLL_FILE_NOT_FOUND before anything is sent */
    zip(
      files: Pick<FileStore, 'get' | 'head'>,
      entries: readonly ZipEntry[],
      options?: ZipOptions,
    ): Promise<FastifyReply>
    /**
     * Opens the folder that files are in, at the CDN, to whoever gets the answer: sets the cookies that it takes, and returns the addresses to
     * answer with. They are paths of the application where no CDN opens folders: there `authorize` of the downloads decides.
     *
     * @throws PLIMSOLL_OPTION_INVALID when the files are not in one folder, or that is all that downloads serve
     * @example return reply.grant({ hls: film.hls, dash: film.dash }, { expires: '4h' })
     */
    grant<Paths extends GrantedPaths>(paths: Paths, options?: CdnGrantOptions): GrantedAddresses<Paths>
  }
}

/**
 * The Fastify plugin: `fastify.resource(path, queryset, options)`, and the description of all resources at `/openapi.json`
 * with its page at `/docs`. Resources can be added in child plugins too, whose prefixes and hooks then hold for them.
 *
 * @example
 * await fastify.register(plimsoll, { db })
 * fastify.resource('/posts', db.posts, { fields: ['id', 'title'] })
 */
export const plimsoll = fastifyPlugin(addPlimsoll, { fastify: '5.x', name: 'plimsoll' })

// Async, because Fastify takes a plugin that is not for one with a callback.
async function addPlimsoll(fastify: FastifyInstance, options: PlimsollOptions): Promise<void> {
  const resources: MountedResource[] = []
  const paths: string[] = []
  // Somebody's application may have a `db` of its own already.
  if (!fastify.hasDecorator('db')) fastify.decorate('db', options.db)
  fastify.decorate('plimsollResources', resources)
  fastify.decorate('plimsollPaths', paths)
  const { cache, cdn, surrogateKeys = false } = options
  const behindCdn = cdn !== undefined && cdn.provider !== 'none'
  checkSurrogateKeys(surrogateKeys)
  const caching = cache && { cache, surrogateKeys }
  fastify.decorate('resource', function resource(this: FastifyInstance, path, queryset, choices) {
    const mounted = mountResource(this, path, { queryset, options: choices, onError: options.onError, caching })
    resources.push(mounted)
    paths.push(mounted.path, ...(mounted.detail ? [mounted.detail.path] : []))
  } satisfies AddResource)
  const mountedJobs: MountedJobs[] = []
  fastify.decorate('jobStatus', function jobStatus(this: FastifyInstance, jobs: Jobs, choices: JobStatusOptions) {
    const mounted = mountJobStatus(this, choices, { jobs, onError: options.onError })
    mountedJobs.push(mounted)
    paths.push(...mounted.paths)
  })
  fastify.decorateReply('accepted', function accepted(handle) {
    return answerAccepted(this, handle, mountedJobs[0]?.path)
  })
  const areas: string[] = []
  fastify.decorate('downloads', function downloads(this: FastifyInstance, files, path, choices = {}) {
    const mount = { store: files, surrogateKeys, behindCdn, onError: options.onError }
    const mounted = mountDownloads(this, path, { options: choices, mount })
    paths.push(mounted)
    areas.push(mounted.replace(/\/\*$/, ''))
  })
  fastify.decorateReply('grant', function grant(granted, choices = {}) {
    return grantAddresses(this, granted, { ...choices, cdn, areas })
  })
  fastify.decorate('uploads', function uploads(this: FastifyInstance, opened, path, choices) {
    paths.push(...mountUploads(this, path, { options: choices, mount: { uploads: opened, onError: options.onError } }))
  })
  fastify.decorateReply('zip', function zip(files, entries, choices = {}) {
    return answerZip(this, { source: files, entries, ...choices })
  })
  const { openapi = '/openapi.json', docs = '/docs', info = {} } = options
  if (openapi !== false) paths.push(...serveDescription(fastify, { openapi, docs, info, resources, jobs: mountedJobs }))
}
