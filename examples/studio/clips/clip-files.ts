import { createHash, timingSafeEqual } from 'node:crypto'
import type { App } from 'plimsoll'
import type { CdnCookie } from 'plimsoll/cdn'
import { visitorOf } from '../jobs/visitor.ts'
import type { clips, relations } from '../schema.ts'
import { clipsFolder, idOf } from './clip-keys.ts'

type Studio = App<typeof relations>
type Clip = typeof clips.$inferSelect

/** Where a player finds what was made of a clip, and what opens it: tokens in these addresses, or cookies. */
export interface ClipAddresses {
  readonly hls: string
  readonly dash: string
  readonly poster: string | null
  readonly sprite: string | null
  readonly cookies: readonly CdnCookie[]
}

/** The path of what was made of clips; edges know it as the one that needs a signature. */
const place = '/private/clips'
/** The path of the files that visitors have brought. */
const originals = '/api/clips/originals'
/** For so long a player can go on with what it was given. */
const openFor = '6h'
/** The header by which an edge shows that it is one: whoever else comes to the studio itself gets nothing. */
const edgeHeader = 'x-edge-key'

/**
 * Serves the files of clips to the visitors who have brought them. Where a CDN opens folders, it decides who may come in, and fetches what is
 * under `/private` with the key of EDGE_KEY; else the studio does by its cookie, which a browser sends with every segment.
 */
export async function serveClipFiles(app: Studio): Promise<void> {
  const { cdn, files, fastify } = app
  const authorize = (request: { readonly headers: object }, key: string): Promise<boolean> => owns(app, request, key)
  app.downloads(originals, {
    prefix: clipsFolder,
    disposition: 'attachment',
    authorize: async (request, key) => key.includes('/original/') && authorize(request, key),
  })
  if (cdn.features.grants === false) {
    app.downloads(place, { prefix: clipsFolder, authorize })
    return
  }
  const edgeKey = process.env['EDGE_KEY'] ?? ''
  if (edgeKey.length < 16)
    throw new Error(`CDN_URL is set: set EDGE_KEY too, to what the CDN sends as ${edgeHeader}, 16 characters or more.`)
  await fastify.register(async (scope) => {
    scope.addHook('onRequest', async (request, reply) => {
      if (!isSame(request.headers[edgeHeader], edgeKey))
        return reply.code(404).send({ title: 'There is no such file', status: 404 })
      return undefined
    })
    scope.downloads(files, place, { prefix: clipsFolder, cache: 'immutable', deliver: 'proxy' })
  })
}

async function owns({ db }: Studio, request: { readonly headers: object }, key: string): Promise<boolean> {
  const owner = visitorOf(request)
  if (owner === undefined) return false
  // Asked with every segment, and remembered until the clip is written.
  const mine = await db.clips
    .filter({ id: idOf(key), owner })
    .only('id')
    .cached({ ttl: '10m' })
  return mine.length > 0
}

function isSame(given: string | string[] | undefined, key: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return typeof given === 'string' && timingSafeEqual(digest(given), digest(key))
}

/** The addresses of what was made of a clip, for its owner. */
export function clipAddresses({ cdn }: Studio, { video }: Clip): ClipAddresses | null {
  if (video === null) return null
  const path = addressOf(place, video.hls)
  const { url, cookies } =
    cdn.features.grants === false ? { url: path, cookies: [] } : cdn.grant(path, { expires: openFor })
  // Everything else is beside the playlist, and inherits what opens it.
  const folder = url.slice(0, url.lastIndexOf('/') + 1)
  const at = (key: string): string => folder + key.slice(video.prefix.length + 1)
  const maybe = (key: string | null): string | null => (key === null ? null : at(key))
  return { hls: url, dash: at(video.dash), poster: maybe(video.poster), sprite: maybe(video.sprite), cookies }
}

/** Where a clip is stored by a browser, under the name that it came with. */
export function originalAddress({ fileKey }: Clip): string {
  return addressOf(originals, fileKey)
}

/** The origins, other than that of the studio, which files of clips come from and go to: those of the storage and of the CDN. */
export async function fileOrigins({ files, cdn }: Studio): Promise<readonly string[]> {
  const addresses = [await files.url(`${clipsFolder}any`), cdn.url('any')]
  return [...new Set(addresses.filter((address) => URL.canParse(address)).map((address) => new URL(address).origin))]
}

/** Removes all files whose keys begin with a text. */
export async function removeAll(files: Pick<Studio['files'], 'list' | 'delete'>, prefix: string): Promise<void> {
  for (;;) {
    const { objects } = await files.list(prefix)
    if (objects.length === 0) return
    await files.delete(objects.map(({ key }) => key))
  }
}

function addressOf(path: string, key: string): string {
  return [path, ...key.slice(clipsFolder.length).split('/').map(encodeURIComponent)].join('/')
}
