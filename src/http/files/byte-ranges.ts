/** A part of a file; both ends belong to it. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** More of them in one answer are refused: no player asks for them, and each costs the storage a request. */
const mostRanges = 50
/** Ranges that are no further apart than the head of another part is long come as one (RFC 9110, section 15.3.7.2). */
const gap = 80

/**
 * What a Range header asks of `size` bytes (RFC 9110, section 14.2): undefined when it asks for nothing that we know, and the whole is
 * the answer; none when it asks for nothing that is there. Ranges that overlap or nearly touch are one, so that all together are no
 * more than the file, however many were asked for.
 */
export function parseRanges(header: string, size: number): readonly ByteRange[] | undefined {
  const set = /^bytes=(.*)$/i.exec(header.trim())?.[1]
  if (set === undefined) return undefined
  const ranges: ByteRange[] = []
  let some = false
  for (const part of set.split(',')) {
    // A list may have empty elements (section 5.6.1).
    const text = part.trim()
    if (text === '') continue
    const match = /^(\d*)-(\d*)$/.exec(text)
    if (match === null || text === '-') return undefined
    some = true
    const range = satisfiable(match[1]!, match[2]!, size)
    if (range === 'backwards') return undefined
    if (range === 'all') return undefined
    if (range !== undefined) ranges.push(range)
  }
  if (!some) return undefined
  const merged = merge(ranges)
  return merged.length > mostRanges ? [] : merged
}

function satisfiable(first: string, last: string, size: number): ByteRange | 'backwards' | 'all' | undefined {
  if (first === '') {
    const length = Number(last)
    if (length === 0) return undefined
    // The end of nothing is nothing, which no Content-Range can say.
    return size === 0 ? 'all' : { first: Math.max(0, size - length), last: size - 1 }
  }
  const from = Number(first)
  if (last !== '' && Number(last) < from) return 'backwards'
  if (from >= size) return undefined
  return { first: from, last: last === '' ? size - 1 : Math.min(Number(last), size - 1) }
}

/** One range for each group that overlaps or nearly touches, in the order in which the first of each was asked for. */
function merge(ranges: readonly ByteRange[]): readonly ByteRange[] {
  const sorted = ranges.map((range, at) => ({ ...range, at })).sort((a, b) => a.first - b.first)
  const groups: { first: number; last: number; at: number }[] = []
  for (const range of sorted) {
    const group = groups.at(-1)
    if (group === undefined || range.first > group.last + 1 + gap) groups.push(range)
    else {
      group.last = Math.max(group.last, range.last)
      group.at = Math.min(group.at, range.at)
    }
  }
  return groups.sort((a, b) => a.at - b.at).map(({ first, last }) => ({ first, last }))
}
