import { join } from 'node:path'
import { createApp, type App } from 'plimsoll'
import { fileOrigins } from './clips/clip-files.ts'
import { takeClips } from './clips/clip-routes.ts'
import { defineTranscode } from './clips/transcode-clip.ts'
import { takeComments } from './comment-route.ts'
import { digest, digestInput } from './jobs/digest.ts'
import { filmReport } from './jobs/film-report.ts'
import { offerJobs } from './jobs/job-routes.ts'
import { posterFolder, posterInput, posters } from './jobs/posters.ts'
import { defineRecount } from './jobs/recount-comments.ts'
import { browserLibraries } from './libraries.ts'
import { relations } from './schema.ts'
import { seedWhenEmpty } from './seed/seed.ts'
import { serveWebPage } from './web-page.ts'

/** What {@link createStudio} can be told; engines come from the environment unless they are named here. */
export interface StudioOptions {
  /** Default: DATABASE_URL, or PGlite in `.plimsoll/db`. */
  readonly databaseUrl?: string | undefined
  /** Gets a line for each step of the first start. Default: nobody is told. */
  readonly report?: ((line: string) => void) | undefined
}

/** Opens the publishing service with its tables migrated and filled: an API under `/api`, and the web page that uses it. */
export async function createStudio(options: StudioOptions = {}): Promise<App<typeof relations>> {
  const recount = defineRecount(() => app.db)
  const transcode = defineTranscode(() => app.db)
  const app: App<typeof relations> = await createApp({
    relations,
    jobs: [recount, filmReport, digest, posters, transcode],
    databaseUrl: options.databaseUrl,
    migrate: { folder: join(import.meta.dirname, 'migrations') },
    info: {
      title: 'Waterline',
      version: '1.0.0',
      description: 'A small publishing house: films, essays and comments.',
    },
  })
  try {
    await seedWhenEmpty(app.db, options.report ?? (() => {}))
    addResources(app)
    takeComments(app)
    takeClips(app, transcode)
    app.downloads('/posters', { prefix: `${posterFolder}/`, cache: 'immutable', deliver: 'proxy' })
    offerJobs(app, {
      'recount-comments': { job: recount, input: () => ({}) },
      'films-xlsx': { job: filmReport, input: () => ({ format: 'xlsx' }) },
      'films-csv': { job: filmReport, input: () => ({ format: 'csv' }) },
      poster: { job: posters, input: () => posterInput(app) },
      digest: { job: digest, input: () => digestInput(app) },
    })
    await serveWebPage(app.fastify, {
      folder: join(import.meta.dirname, 'web'),
      libraries: browserLibraries(),
      origins: await fileOrigins(app),
    })
    return app
  } catch (error) {
    await app.close()
    throw error
  }
}

/** Answers are kept for ten minutes, or until a row they were made of is written: nobody waits to see a new comment. */
const cache = { ttl: '10m', shared: false } as const

function addResources({ db, resource }: App<typeof relations>): void {
  resource('/api/videos', db.videos.filter({ status: 'published' }).orderBy('-publishedAt'), {
    fields: [
      'id',
      'title',
      'description',
      'durationSeconds',
      'views',
      'commentCount',
      'publishedAt',
      'channel.id',
      'channel.slug',
      'channel.name',
      'tags.slug',
      'tags.label',
    ],
    filters: ['title', 'publishedAt', 'views', 'channel.id', 'channel.slug', 'tags.slug'],
    orders: ['publishedAt', 'views', 'title'],
    cache,
  })
  resource('/api/articles', db.articles.filter({ status: 'published' }).orderBy('-publishedAt'), {
    fields: [
      'id',
      'title',
      'summary',
      'body',
      'readingMinutes',
      'publishedAt',
      'author.id',
      'author.name',
      'channel.id',
      'channel.slug',
      'channel.name',
      'tags.slug',
      'tags.label',
    ],
    filters: ['title', 'publishedAt', 'author.id', 'channel.id', 'channel.slug', 'tags.slug'],
    orders: ['publishedAt', 'title'],
    cache,
  })
  resource('/api/channels', db.channels.orderBy('-subscribers'), {
    fields: ['id', 'slug', 'name', 'description', 'subscribers', 'createdAt', 'owner.id', 'owner.name'],
    filters: ['slug', 'name', 'owner.id'],
    orders: ['subscribers', 'name'],
    cache,
  })
  resource('/api/users', db.users.orderBy('-joinedAt'), {
    fields: ['id', 'handle', 'name', 'bio', 'country', 'joinedAt'],
    filters: ['handle', 'country', 'joinedAt'],
    orders: ['joinedAt', 'name'],
    cache,
  })
  resource('/api/tags', db.tags.orderBy('label'), {
    fields: ['id', 'slug', 'label'],
    filters: ['slug'],
    orders: ['label'],
    cache,
  })
  resource(
    '/api/videos/:videoId/comments',
    db.comments.filter({ video: { status: 'published' } }).orderBy('-createdAt'),
    {
      fields: [
        'id',
        'body',
        'createdAt',
        'author.id',
        'author.name',
        'author.handle',
        'replyTo.id',
        'replyTo.author.name',
      ],
      filters: ['createdAt', 'author.id'],
      orders: ['createdAt'],
      cache,
    },
  )
}
