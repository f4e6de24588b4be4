import type { App } from 'plimsoll'
import { visitorOf } from '../jobs/visitor.ts'
import type { clips, ClipVideo, relations } from '../schema.ts'
import { clipsFolder, idOf } from './clip-keys.ts'

type Studio = App<typeof relations>
type Clip = typeof clips.$inferSelect

/** The path of what was made of clips; edges know it as the one that needs a signature. */
const place = '/private/clips'
/** The path of the files that visitors have brought. */
const originals = '/api/clips/originals'
/** For so long a player can go on with what it was given. */
export const openFor = '6h'

/**
 * Serves the files of clips to the visitors who have brought them. Where a CDN opens folders, it decides who may come in, and fetches what is
 * under `/private` with the key of EDGE_KEY, while whoever else comes to the studio itself gets nothing; PAGE_ORIGIN says where the page is
 * whose players read from it. Else the studio decides by its cookie, which a browser sends with every segment.
 */
export function serveClipFiles(app: Studio): void {
  const authorize = (request: { readonly headers: object }, key: string): Promise<boolean> => owns(app, request, key)
  app.downloads(originals, {
    prefix: clipsFolder,
    disposition: 'attachment',
    authorize: async (request, key) => key.includes('/original/') && authorize(request, key),
  })
  app.downloads(place, {
    prefix: clipsFolder,
    ...(app.cdn.features.grants === false
      ? { authorize }
      : { edgeKey: keyOfEdge(), cache: 'immutable', allowOrigin: process.env['PAGE_ORIGIN'] || undefined }),
  })
}

function keyOfEdge(): string {
  const { EDGE_KEY } = process.env
  if (EDGE_KEY !== undefined) return EDGE_KEY
  throw new Error('CDN_URL is set: set EDGE_KEY too, to what the CDN sends as X-Edge-Key, 16 characters or more.')
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

/** The paths of what was made of a clip, for its owner; `reply.grant` makes addresses of them. */
export function clipPaths({ hls, dash, poster, sprite }: ClipVideo) {
  return { hls: pathOf(hls), dash: pathOf(dash), poster: pathOf(poster), sprite: pathOf(sprite) }
}

/** The address of the picture of a clip, alone: a list of many clips opens none of them. */
export function posterAddress({ cdn }: Studio, { poster }: ClipVideo): string | null {
  const path = pathOf(poster)
  return path === null || cdn.features.grants === false ? path : cdn.url(path, { private: true, expires: openFor })
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

function pathOf<Key extends string | null>(key: Key): Key | string {
  return key === null ? key : `${place}/${key.slice(clipsFolder.length)}`
}

function addressOf(path: string, key: string): string {
  return [path, ...key.slice(clipsFolder.length).split('/').map(encodeURIComponent)].join('/')
}
