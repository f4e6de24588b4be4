/** A line of a playlist's attributes (RFC 8216, 4.2), without quotes. */
export type Attributes = Readonly<Record<string, string>>

/** One encoding as the multivariant playlist names it. */
export interface Variant {
  readonly attributes: Attributes
  readonly uri: string
}

/** What the multivariant playlist says. */
export interface MasterPlaylist {
  readonly variants: readonly Variant[]
  /** EXT-X-MEDIA: sound and captions. */
  readonly media: readonly Attributes[]
  /** EXT-X-I-FRAME-STREAM-INF. */
  readonly iframes: readonly Attributes[]
}

/** What a playlist of segments says. */
export interface MediaPlaylist {
  readonly init: string | undefined
  readonly segments: readonly { readonly uri: string; readonly duration: number }[]
  /** True with EXT-X-ENDLIST. */
  readonly ended: boolean
}

/** Reads attributes: a quoted value may have commas in it. */
function parseAttributes(text: string): Attributes {
  const pairs = [...text.matchAll(/([A-Z0-9-]+)=("[^"]*"|[^",]*)/g)]
  return Object.fromEntries(pairs.map(([, name, value]) => [name!, value!.replace(/^"|"$/g, '')]))
}

/** Reads a multivariant playlist. */
export function parseMaster(text: string): MasterPlaylist {
  const lines = text.split('\n').map((line) => line.trim())
  const tagged = (tag: string): Attributes[] =>
    lines.filter((line) => line.startsWith(`${tag}:`)).map((line) => parseAttributes(line.slice(tag.length + 1)))
  const variants = lines.flatMap((line, i) =>
    line.startsWith('#EXT-X-STREAM-INF:') ? [{ attributes: parseAttributes(line.slice(18)), uri: lines[i + 1]! }] : [],
  )
  return { variants, media: tagged('#EXT-X-MEDIA'), iframes: tagged('#EXT-X-I-FRAME-STREAM-INF') }
}

/** Reads a playlist of segments. */
export function parseMedia(text: string): MediaPlaylist {
  const segments: { uri: string; duration: number }[] = []
  let init: string | undefined
  let duration = 0
  for (const line of text.split('\n').map((one) => one.trim())) {
    if (line.startsWith('#EXT-X-MAP:')) init = parseAttributes(line.slice(11))['URI']
    else if (line.startsWith('#EXTINF:')) duration = Number.parseFloat(line.slice(8))
    else if (line !== '' && !line.startsWith('#')) segments.push({ uri: line, duration })
  }
  return { init, segments, ended: text.includes('#EXT-X-ENDLIST') }
}
