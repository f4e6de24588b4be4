/** A page of a list as the API promises it. */
export interface ListAnswer {
  readonly data: readonly Readonly<Record<string, unknown>>[]
  readonly page: {
    readonly size: number
    readonly next: string | null
    readonly previous: string | null
    readonly total?: number
  }
}

/** One page of a list; fails on any other status than 200. */
export async function getList(url: string): Promise<ListAnswer> {
  const response = await fetch(url)
  const body = await response.text()
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}: ${body}`)
  return JSON.parse(body) as ListAnswer
}

/** The ids of a whole list, in order, by following `next` (or `previous`, from `start`) to its end. */
export async function walk(url: string, along: 'next' | 'previous' = 'next', start?: string): Promise<number[]> {
  const ids: number[] = []
  const address = new URL(url)
  let cursor = start ?? null
  do {
    if (cursor) address.searchParams.set(along === 'next' ? 'after' : 'before', cursor)
    const { data, page } = await getList(address.href)
    const pageIds = data.map((row) => row['id'] as number)
    if (along === 'next') ids.push(...pageIds)
    else ids.unshift(...pageIds)
    cursor = page[along]
  } while (cursor)
  return ids
}
