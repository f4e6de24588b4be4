/**
 * Reads the WebVTT index of a video's small pictures: `[{ start, end, image, x, y, width, height }]`, times in seconds, `image` an address.
 * `cookies`: whether they open it.
 *
 * @throws TypeError when it cannot be fetched
 */
export async function fetchSprite(address, { cookies }) {
  const response = await fetch(address, { credentials: cookies ? 'include' : 'same-origin' })
  if (!response.ok) throw new TypeError(`${address} was answered with ${response.status}.`)
  // Addresses in it are relative to it, wherever it was fetched from.
  const base = new URL(address, location.href)
  const cues = (await response.text()).split(/\r?\n\r?\n/).map((block) => toPicture(block, base))
  return cues.filter((picture) => picture !== undefined)
}

function toPicture(block, base) {
  const [times, target] = block.trim().split(/\r?\n/).slice(-2)
  const [, start, end] = /^(\S+) --> (\S+)/.exec(times ?? '') ?? []
  const [, image, place] = /^(.+)#xywh=([\d,]+)$/.exec(target ?? '') ?? []
  if (start === undefined || image === undefined) return undefined
  const [x, y, width, height] = place.split(',').map(Number)
  return { start: toSeconds(start), end: toSeconds(end), image: new URL(image, base).href, x, y, width, height }
}

/** `01:02:03.500` → 3723.5 */
function toSeconds(time) {
  return time.split(':').reduce((seconds, part) => seconds * 60 + Number(part), 0)
}
