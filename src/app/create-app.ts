import type { FastifyInstance, FastifyRequest, FastifyServerOptions } from 'fastify'
import { parseDuration, type Duration } from '../core/duration.ts'
import type { Cache } from '../cache/index.ts'
import type { Cdn } from '../cdn/index.ts'
import { createDb } from '../db/create-db.ts'
import type { Models } from '../db/types/model.ts'
import type { Db, Tx } from '../db/types.ts'
import { openImageMaker, type ImageMaker } from '../files/images/image-maker.ts'
import type { AddressedFiles, Uploads } from '../files/index.ts'
import { mountImages, type Images, type ImagesOptions } from '../http/files/images.ts'
import { plimsoll, signedAddresses } from '../http/index.ts'
import type { AddResource, DownloadOptions, JobStatusOptions, PlimsollOptions, UploadOptions } from '../http/index.ts'
import type { Job, Jobs, JobWorker, Mail, MailOptions, Schedule, WorkOptions } from '../jobs/index.ts'
import type { OpenMail } from '../jobs/mail/open-mail.ts'
import { openPostgres, type Postgres, type PostgresOptions } from '../postgres/index.ts'
import { buildModelGraph } from '../schema/index.ts'
import { appSecret } from './app-secret.ts'
import { closeGracefully } from './close-gracefully.ts'
import { closeOnSignals } from './close-on-signals.ts'
import { embeddedDatabase, optionOrEnvironment, readPort, replicaUrls } from './environment.ts'
import { hostError, urlOf } from './listen-url.ts'
import { migrateDatabase } from './migrate.ts'
import { noMail, openAppMail } from './open-app-mail.ts'
import { embeddedFiles, openAppFiles, type AppFilesOptions } from './open-files.ts'
import { openAppCdn, type AppCdn, type AppCdnOptions } from './open-cdn.ts'
import { openCaching, type AppCacheOptions, type Caching } from './open-caching.ts'
import { openObservability, type ObservabilityOptions } from './observability.ts'
import { answerWithProblems, openFastify } from './open-fastify.ts'
import { databaseQueue, noJobs, openQueue } from './open-queue.ts'
import { memoryCache } from './open-store.ts'
import { bindReadyJobs, schedulesOf } from './ready-made/ready-job.ts'
import { recordChanged } from './purged-store.ts'
import { serveFiles } from './serve-files.ts'
import { hasWorkerCommand } from './worker-command-mark.ts'

/** The options of {@link createApp}. */
export interface AppOptions<S extends Models>
  extends Pick<PlimsollOptions, 'info' | 'openapi' | 'docs' | 'onError' | 'surrogateKeys'>, ObservabilityOptions {
  /** What Drizzle's `defineRelations` returns. */
  readonly relations: S
  /** `postgres://…`, `pglite:PATH` or `pglite:memory`. Default: DATABASE_URL, or PGlite in `.plimsoll/db`. */
  readonly databaseUrl?: string | undefined
  /** `memory:`, `redis://…`, `rediss://…` or `memcached://h1:11211,h2:11211`. Default: CACHE_URL, or the memory of this process. */
  readonly cacheUrl?: string | undefined
  /**
   * The CDN before the application, by options or one that is open already. Default: CDN_URL, such as
   * `https://cdn.example.com?provider=fastly&service=…`, or none. Answers then name their tags in the header that it reads, and what writes
   * change is purged there.
   */
  readonly cdn?: AppCdnOptions | Cdn | undefined
  /** Times and sizes of the cache. */
  readonly cache?: AppCacheOptions | undefined
  /** `file:PATH`, `s3://bucket` or `gs://bucket`. Default: STORAGE_URL, or the folder `.plimsoll/files`. */
  readonly storageUrl?: string | undefined
  /** A store of files that was opened already. */
  readonly files?: AppFilesOptions | undefined
  /** The jobs of the application: what `defineJob` returns. Default: none. */
  readonly jobs?: readonly Job[] | undefined
  /** What is enqueued again and again: what `defineSchedule` returns. Their jobs are listed in `jobs`. Default: none. */
  readonly schedules?: readonly Schedule[] | undefined
  /** `database:`, `redis://…`, `rediss://…`, `amqp://…` or `amqps://…`. Default: QUEUE_URL, or the database. */
  readonly queueUrl?: string | undefined
  /**
   * Whether this process runs jobs. Default: while the database is embedded, which no other process could; else `plimsoll worker`
   * does. Where that command opens the application, it alone says which jobs run.
   */
  readonly work?: boolean | WorkOptions | undefined
  /** Where mails go, and whom they are from. Default: MAIL_URL and MAIL_FROM; without the first they are kept and shown. */
  readonly mail?: MailOptions | undefined
  /** Signs cursors; at least 16 characters. Default: PLIMSOLL_SECRET, or a random one kept in `.plimsoll/secret`. */
  readonly secret?: string | undefined
  /** Fastify's own option. Default false: nothing is logged, but errors that nobody foresaw go to stderr. */
  readonly logger?: FastifyServerOptions['logger'] | undefined
  /** Options for the Fastify that is made, or one that is there already, whose handlers of errors are left alone. */
  readonly fastify?: FastifyServerOptions | FastifyInstance | undefined
  /** Pools and time-outs of the database, and its read replicas, by default those in DATABASE_REPLICA_URLS. */
  readonly postgres?: Omit<PostgresOptions, 'url'> | undefined
  /** A folder of drizzle-kit's migrations, run before the app is handed out. Default: none. */
  readonly migrate?: { readonly folder: string } | undefined
  /** How long `close` lets requests that are under way go on before it cuts their connections, and jobs before it hands them back. Default `'10s'`. */
  readonly closeTimeout?: Duration | undefined
}

/** Where to listen. */
export interface ListenOptions {
  /** Default: PORT, or 3000. 0 takes any free port. */
  readonly port?: number | undefined
  /** Default: HOST, or `'localhost'`. */
  readonly host?: string | undefined
}

/** One service: its database, its routes, and the end of both. */
export interface App<S extends Models = Models> extends AsyncDisposable {
  readonly db: Db<S>
  /** Values under keys of your own; what querysets and resources keep is in it too. */
  readonly cache: Cache
  /** Files, in the store that STORAGE_URL names. */
  readonly files: AddressedFiles
  /** Addresses of files at the CDN, signed ones too, and purges. Without one addresses are paths of the application. */
  readonly cdn: Cdn
  /** Work that is done in the background. */
  readonly jobs: Jobs
  /** Sends mails, as jobs. */
  readonly mail: Mail
  /** The door to the database: plain statements, LISTEN and NOTIFY. */
  readonly postgres: Postgres
  readonly fastify: FastifyInstance
  /** Adds a list and its rows; see {@link AddResource}. */
  readonly resource: AddResource
  /**
   * Shows jobs to those who own them, at `/jobs/:id` or under another path: `enqueue(input, { owner })` says whose a job is,
   * `reply.accepted(handle)` answers 202 with where it is.
   */
  jobStatus(options: JobStatusOptions): void
  /** Serves the files at `path/KEY`: ranges, conditional requests, names; see {@link DownloadOptions}. */
  downloads(path: string, options?: DownloadOptions): void
  /**
   * Takes files, which go straight to the storage: verified, then `onStored` runs in the transaction that ends the upload, once; see
   * {@link UploadOptions}.
   *
   * @example app.uploads('/uploads/videos', { accept: ['video/*'], maxBytes: '5GB', onStored: (file, tx) => tx.videos.create({ key: file.key }) })
   */
  uploads(path: string, options: UploadOptions<Tx<S>>): void
  /**
   * Makes variants of images of the storage when they are asked for, at signed addresses under a path; see {@link ImagesOptions}.
   *
   * @throws PLIMSOLL_OPTION_INVALID
   * @example
   * const images = app.images('/images', { variants: { small: { width: 320 } } })
   * const src = images.url('uploads/ada.jpg', 'small')
   */
  images<const Name extends string>(path: string, options: ImagesOptions<Name>): Images<Name>
  /** Runs the migrations of a folder that the database has not had yet; safe when several processes start at once. */
  migrate(folder: string): Promise<void>
  /** Begins to take requests; resolves to the URL, such as `http://localhost:3000`. */
  listen(options?: ListenOptions): Promise<string>
  /**
   * Answers the requests that are under way, each with `Connection: close`, and those that still come with 503; then closes the
   * server and the database. Meanwhile no job is begun by the worker of `work`. Connections that are not done after `closeTimeout` are
   * cut, and jobs handed back, then transactions that are not done after as long again.
   */
  close(): Promise<void>
  /** Closes on SIGTERM and SIGINT; a second signal, of either kind, ends the process at once, and so does a close that fails. */
  closeOnSignals(): void
}

/**
 * Opens a service: the database, querysets for its models, and Fastify with resources and their description.
 *
 * @throws PLIMSOLL_SCHEMA_INVALID, PLIMSOLL_OPTION_INVALID (also for a PORT that is none), PLIMSOLL_PEER_MISSING, and PLIMSOLL_DATABASE_UNREACHABLE when
 *   the database did not answer within `postgres.startupTimeout` (30 s).
 * @example
 * const app = await createApp({ relations })
 * app.resource('/posts', app.db.posts, { fields: ['id', 'title'] })
 * console.log(await app.listen())
 */
export async function createApp<S extends Models>(options: AppOptions<S>): Promise<App<S>> {
  // Before anything is opened: what is wrong should not have to wait for a database, nor change one.
  const graph = buildModelGraph(options.relations)
  const closeTimeoutMs = parseDuration(options.closeTimeout ?? '10s', 'closeTimeout')
  if (!isInstance(options.fastify)) readPort(undefined)
  const url = optionOrEnvironment(options.databaseUrl, 'DATABASE_URL') ?? embeddedDatabase
  const secret = await appSecret(options.secret, { shared: /^postgres(?:ql)?:/i.test(url) })
  const edge = await openAppCdn(options.cdn)
  const observability = await openObservability(options)
  const { tracer } = observability
  const cacheUrl = optionOrEnvironment(options.cacheUrl, 'CACHE_URL') ?? memoryCache
  let postgres: Postgres | undefined
  let caching: Caching | undefined
  let jobs: Jobs | undefined
  let mail: OpenMail | undefined
  let files: AddressedFiles | undefined
  const images = openImageMaker()
  const storageUrl = optionOrEnvironment(options.storageUrl, 'STORAGE_URL') ?? embeddedFiles
  const queueUrl = optionOrEnvironment(options.queueUrl, 'QUEUE_URL') ?? databaseQueue
  const database = {
    onWaiting: (line: string) => console.error(line),
    replicaUrls: replicaUrls(),
    ...options.postgres,
    url,
  }
  try {
    mail = await openAppMail(options)
    const changed =
      edge.carrier && ((tags: readonly string[]): Promise<void> => recordChanged(postgres!, caching!.outbox)(tags))
    const addresses = signedAddresses({ secret, url: options.files?.addresses ?? '/_files' })
    files = await openAppFiles(storageUrl, {
      store: options.files?.store,
      links: addresses,
      changed,
    })
    const known = mail?.jobsWith(options.jobs ?? [])
    postgres = await openPostgres(database)
    caching = await openCaching(postgres, {
      url: cacheUrl,
      graph,
      options: options.cache ?? {},
      records: known !== undefined && queueUrl !== databaseQueue,
      purge: edge.carrier,
    })
    const { queries, writes, cache } = caching
    const db = createDb<S>({ relations: options.relations, graph, postgres, secret, cache: queries, writes })
    if (options.migrate) await migrateDatabase(db, options.migrate.folder)
    if (mail !== undefined && known !== undefined) {
      const services = { db: db as unknown as Db<Models>, files, images, jobs: () => jobs ?? noJobs() }
      const ready = bindReadyJobs(known, services)
      const { outbox } = caching
      const schedules = [...(options.schedules ?? []), ...schedulesOf(known)]
      jobs = await openQueue(postgres, {
        url: queueUrl,
        jobs: ready,
        schedules,
        database,
        outbox,
        tracer,
      })
      mail.attach(jobs)
    }
    const fastify = await openServer(db, cache, {
      ...options,
      cdn: edge.cdn,
      surrogateKeys: options.surrogateKeys ?? edge.cdn.features.tagHeader,
    })
    const served = serveFiles(fastify, {
      files,
      addresses,
      postgres,
      sweep: options.files?.sweep,
      onError: options.onError,
    })
    observability.serve(fastify, { jobs, known: known ?? [] })
    const work = !hasWorkerCommand() && (options.work ?? postgres.engine === 'pglite')
    const worker = work === false ? undefined : await jobs?.work(work === true ? {} : work)
    return assemble(fastify, {
      db,
      postgres,
      caching,
      edge,
      files,
      ...served,
      images,
      purge: changed,
      jobs,
      worker,
      mail,
      options,
      secret,
      closeTimeoutMs,
    })
  } catch (error) {
    observability.close()
    await jobs?.close()
    mail?.close()
    await images.close()
    await files?.close()
    edge.close()
    await caching?.close()
    await postgres?.close()
    throw error
  }
}

function isInstance(fastify: AppOptions<Models>['fastify']): fastify is FastifyInstance {
  return fastify !== undefined && 'register' in fastify
}

async function openServer<S extends Models>(
  db: Db<S>,
  cache: Cache,
  options: AppOptions<S> & { readonly cdn: Cdn },
): Promise<FastifyInstance> {
  const { fastify: given, info, openapi, docs, surrogateKeys, cdn } = options
  if (isInstance(given)) {
    await given.register(plimsoll, { db, cache, info, openapi, docs, surrogateKeys, cdn, onError: options.onError })
    return given
  }
  const logger = options.logger ?? given?.logger ?? false
  const fastify = openFastify({ ...given, logger })
  const silent = logger === false && !given?.loggerInstance
  const onError = options.onError ?? (silent ? printError : undefined)
  await fastify.register(plimsoll, { db, cache, info, openapi, docs, surrogateKeys, cdn, onError })
  answerWithProblems(fastify, onError)
  return fastify
}

/** Without a logger, an error that nobody foresaw would leave no trace. What is foreseen, such as a database that is away, does. */
function printError(error: unknown, request: FastifyRequest): void {
  const status = (error as { status?: number }).status ?? 500
  if (status === 500) console.error(`${request.method} ${request.routeOptions.url ?? request.url} failed:`, error)
}

function assemble<S extends Models>(
  fastify: FastifyInstance,
  {
    db,
    postgres,
    caching,
    files,
    uploads,
    images,
    purge,
    edge,
    jobs,
    worker,
    mail,
    options,
    secret,
    closeTimeoutMs,
  }: {
    db: Db<S>
    postgres: Postgres
    caching: Caching
    files: AddressedFiles
    uploads: () => Uploads
    images: ImageMaker
    purge: ((tags: readonly string[]) => Promise<void>) | undefined
    edge: AppCdn
    jobs: Jobs | undefined
    worker: JobWorker | undefined
    mail: OpenMail | undefined
    options: AppOptions<S>
    secret: string
    closeTimeoutMs: number
  },
): App<S> {
  let forgetSignals = (): void => {}
  // What runs is given its time beside the requests that are under way, which can still enqueue. Its end is waited for below.
  fastify.addHook('preClose', async () => void worker?.close({ timeout: closeTimeoutMs }).catch(() => {}))
  // However the server is closed, the database follows; not before, since requests that it still answers need it: hooks of
  // this kind run from the last one to the first.
  fastify.addHook('onClose', async () => {
    await jobs?.close({ timeout: closeTimeoutMs })
    mail?.close()
    await images.close()
    await files.close()
    edge.close()
    await caching.close()
    await postgres.close({ timeout: closeTimeoutMs })
    forgetSignals()
  })
  closeGracefully(fastify, {
    timeoutMs: closeTimeoutMs,
    refuse: !isInstance(options.fastify) && options.fastify?.return503OnClosing === undefined,
  })
  const close = async (): Promise<void> => fastify.close()
  const resource = ((...given: Parameters<AddResource>) => fastify.resource(...given)) as AddResource
  return Object.freeze<App<S>>({
    db,
    cache: caching.cache,
    files,
    cdn: edge.cdn,
    jobs: jobs ?? noJobs(),
    mail: mail ?? noMail(),
    postgres,
    fastify,
    resource,
    jobStatus: (shown) => fastify.jobStatus(jobs ?? noJobs(), shown),
    downloads: (path, shown) => fastify.downloads(files, path, shown),
    uploads: (path, taken) => {
      const { onStored } = taken
      fastify.uploads(uploads(), path, {
        ...taken,
        onStored: (file) => db.transaction(async (tx) => onStored(file, tx)),
      })
    },
    images: (path, choices) => {
      const surrogateKeys = options.surrogateKeys ?? edge.cdn.features.tagHeader ?? false
      const mount = { store: files, maker: images, secret, surrogateKeys, purge, onError: options.onError }
      return mountImages(fastify, path, { options: choices, mount }).images
    },
    migrate: (folder) => migrateDatabase(db, folder),
    listen: async (where = {}) => {
      const port = readPort(where.port)
      const host = where.host ?? optionOrEnvironment(undefined, 'HOST') ?? 'localhost'
      await fastify.listen({ port, host }).catch((error: unknown) => Promise.reject(hostError(error, host)))
      // The socket alone knows which port 0 became.
      const bound = fastify.server.address()
      return urlOf(host, typeof bound === 'object' && bound ? bound.port : port)
    },
    close,
    closeOnSignals: () => {
      forgetSignals()
      forgetSignals = closeOnSignals(close)
    },
    [Symbol.asyncDispose]: close,
  })
}
