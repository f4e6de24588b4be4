import Fastify, { type FastifyInstance, type FastifyRequest, type FastifyServerOptions } from 'fastify'
import { createDb } from '../db/create-db.ts'
import type { Models } from '../db/types/model.ts'
import type { Db } from '../db/types.ts'
import { notFoundHandler, plimsoll, problemHandler, sendProblem, toProblem } from '../http/index.ts'
import type { AddResource, PlimsollOptions } from '../http/index.ts'
import { openPostgres, type Postgres, type PostgresOptions } from '../postgres/index.ts'
import { buildModelGraph } from '../schema/index.ts'
import { appSecret } from './app-secret.ts'
import { embeddedDatabase, optionOrEnvironment, readPort } from './environment.ts'
import { migrateDatabase } from './migrate.ts'

/** The options of {@link createApp}. */
export interface AppOptions<S extends Models> extends Pick<PlimsollOptions, 'info' | 'openapi' | 'docs' | 'onError'> {
  /** What Drizzle's `defineRelations` returns. */
  readonly relations: S
  /** `postgres://…`, `pglite:PATH` or `pglite:memory`. Default: DATABASE_URL, or PGlite in `.plimsoll/db`. */
  readonly databaseUrl?: string | undefined
  /** Signs cursors. Default: PLIMSOLL_SECRET, or a random one kept in `.plimsoll/secret`. */
  readonly secret?: string | undefined
  /** Fastify's own option. Default false: nothing is logged, but errors that nobody foresaw go to stderr. */
  readonly logger?: FastifyServerOptions['logger'] | undefined
  /** Options for the Fastify that is made, or one that is there already, whose handlers of errors are left alone. */
  readonly fastify?: FastifyServerOptions | FastifyInstance | undefined
  /** Pools and time-outs of the database. */
  readonly postgres?: Omit<PostgresOptions, 'url'> | undefined
  /** A folder of drizzle-kit's migrations, run before the app is handed out. Default: none. */
  readonly migrate?: { readonly folder: string } | undefined
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
  readonly fastify: FastifyInstance
  /** Adds a list and its rows; see {@link AddResource}. */
  readonly resource: AddResource
  /** Runs the migrations of a folder that the database has not had yet; safe when several processes start at once. */
  migrate(folder: string): Promise<void>
  /** Begins to take requests; resolves to the URL, such as `http://localhost:3000`. */
  listen(options?: ListenOptions): Promise<string>
  /** Answers the requests that are there, then closes the server and the database. */
  close(): Promise<void>
  /** Closes on SIGTERM and SIGINT; a second signal ends the process at once. */
  closeOnSignals(): void
}

/**
 * Opens a service: the database, querysets for its models, and Fastify with resources and their description.
 *
 * @throws PLIMSOLL_SCHEMA_INVALID, PLIMSOLL_OPTION_INVALID, PLIMSOLL_PEER_MISSING, and PLIMSOLL_DATABASE_UNREACHABLE when
 *   the database did not answer within `postgres.startupTimeout` (30 s).
 * @example
 * const app = await createApp({ relations })
 * app.resource('/posts', app.db.posts, { fields: ['id', 'title'] })
 * console.log(await app.listen())
 */
export async function createApp<S extends Models>(options: AppOptions<S>): Promise<App<S>> {
  // Before anything is opened: a wrong schema should not have to wait for a database.
  const graph = buildModelGraph(options.relations)
  const secret = await appSecret(options.secret)
  const url = optionOrEnvironment(options.databaseUrl, 'DATABASE_URL') ?? embeddedDatabase
  const postgres = await openPostgres({ onWaiting: (line) => console.error(line), ...options.postgres, url })
  try {
    const db = createDb<S>({ relations: options.relations, graph, postgres, secret })
    if (options.migrate) await migrateDatabase(db, options.migrate.folder)
    const fastify = await openFastify(db, options)
    return assemble(fastify, { db, postgres })
  } catch (error) {
    await postgres.close()
    throw error
  }
}

async function openFastify<S extends Models>(db: Db<S>, options: AppOptions<S>): Promise<FastifyInstance> {
  const given = options.fastify
  const theirs = given !== undefined && 'register' in given
  const logger = options.logger ?? (theirs ? undefined : given?.logger) ?? false
  const fastify = theirs ? given : createFastify({ ...given, logger })
  const silent = !theirs && logger === false && !given?.loggerInstance
  const onError = options.onError ?? (silent ? printError : undefined)
  const { info, openapi, docs } = options
  await fastify.register(plimsoll, { db, info, openapi, docs, onError })
  if (!theirs) {
    fastify.setErrorHandler(problemHandler(onError))
    fastify.setNotFoundHandler(notFoundHandler(fastify))
  }
  return fastify
}

/** A Fastify that answers with problem documents also where its router gives up: malformed URLs, parameters that are too long. */
function createFastify(options: FastifyServerOptions): FastifyInstance {
  return Fastify({ frameworkErrors: (error, _, reply) => void sendProblem(reply, toProblem(error)), ...options })
}

/** Without a logger, an error that nobody foresaw would leave no trace. What is foreseen, such as a database that is away, does. */
function printError(error: unknown, request: FastifyRequest): void {
  const status = (error as { status?: number }).status ?? 500
  if (status === 500) console.error(`${request.method} ${request.routeOptions.url ?? request.url} failed:`, error)
}

function assemble<S extends Models>(
  fastify: FastifyInstance,
  { db, postgres }: { db: Db<S>; postgres: Postgres },
): App<S> {
  // However the server is closed, the database follows; not before, since requests that it still answers need it.
  fastify.addHook('onClose', () => postgres.close())
  const close = async (): Promise<void> => fastify.close()
  const resource = ((...given: Parameters<AddResource>) => fastify.resource(...given)) as AddResource
  return Object.freeze<App<S>>({
    db,
    fastify,
    resource,
    migrate: (folder) => migrateDatabase(db, folder),
    listen: async (options = {}) => {
      const port = readPort(options.port)
      const host = options.host ?? optionOrEnvironment(undefined, 'HOST') ?? 'localhost'
      await fastify.listen({ port, host })
      // The socket alone knows which port 0 became.
      const bound = fastify.server.address()
      return urlOf(host, typeof bound === 'object' && bound ? bound.port : port)
    },
    close,
    closeOnSignals: () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void close())
    },
    [Symbol.asyncDispose]: close,
  })
}

/** An address that a browser can open: the wildcard addresses are none. */
function urlOf(host: string, port: number): string {
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}
