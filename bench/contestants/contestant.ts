/** The last row of the page before the deep one: where the keyset pages of W4 continue. */
export interface Anchor {
  readonly id: number
  readonly publishedAt: Date
}

/**
 * One library that has been opened on the bench's database. Every method answers one workload, either as JavaScript
 * values or as a Buffer of their JSON; `verify.ts` checks that all contestants answer alike before any clock runs.
 */
export interface Contestant {
  /** W1: the post with this id, all columns, with its author and category. */
  postById(id: number): Promise<unknown>
  /** W2: the 50 newest published posts: id, title, views, publishedAt, author.name, category.name. */
  newestPosts(): Promise<unknown>
  /** W3: the 20 newest published posts, all columns, with author, tags, and comments each with its author. */
  newestTrees(): Promise<unknown>
  /** W4: the first 20 published posts by publishedAt and id, both descending, with the columns of W2. */
  firstPage(): Promise<unknown>
  /** W4: the 20 posts after the anchor, found by keyset. */
  pageAfterAnchor(): Promise<unknown>
  /** W4: the same 20 posts, found by OFFSET 50000. */
  pageAtOffset(): Promise<unknown>
  close(): Promise<void>
}

/** Opens a contestant with ten connections at most, the default of `pg`, unless its own default is lower. */
export type OpenContestant = (options: { readonly url: string; readonly anchor: Anchor }) => Promise<Contestant>

/** W2 asks for this many posts. */
export const newestSize = 50
/** W3 asks for this many posts. */
export const treesSize = 20
/** The pages of W4 have this many rows. */
export const pageSize = 20
/** The deep pages of W4 start after this many rows. */
export const deepOffset = 50_000
