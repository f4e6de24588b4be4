/** One row that is read when it is awaited; `json` answers its JSON without making it an object. */
export interface Result<out T> extends PromiseLike<T> {
  /** The JSON of the row; null where the row would be null. */
  json(): Promise<Buffer | (T & null)>
}

/** Where a page lies: cursors of `page`, numbers of `pageNumber`. Null at the ends. */
export interface PageMarks<out Mark extends string | number> {
  readonly next: Mark | null
  readonly previous: Mark | null
  /** The rows of all pages; only when the page was asked for its `total`. */
  readonly total?: number
}

/** The rows of one page. */
export interface Page<out Row, out Mark extends string | number> extends PageMarks<Mark> {
  readonly data: Row[]
  /** The most rows that the page can hold. */
  readonly size: number
}

/** One page as JSON: `{"data":[…],"page":{"size","next","previous","total"?}}`. */
export interface JsonPage<out Mark extends string | number = string | number> extends PageMarks<Mark> {
  readonly body: Buffer
}

/** One page that is read when it is awaited; `json` answers its JSON without making objects of its rows. */
export interface PageResult<out Row, out Mark extends string | number> extends PromiseLike<Page<Row, Mark>> {
  json(): Promise<JsonPage<Mark>>
}

/** How to count the rows of all pages: `exact` counts them, `estimated` asks the planner. */
export type Total = 'exact' | 'estimated'

/** The options of `page`. */
export interface PageOptions {
  /** Rows per page. */
  readonly size: number
  /** The `next` cursor of the page before. Not together with `before`. */
  readonly after?: string | null | undefined
  /** The `previous` cursor of the page after. */
  readonly before?: string | null | undefined
  /** Default: not counted. */
  readonly total?: Total | undefined
}

/** The options of `pageNumber`. */
export interface PageNumberOptions {
  /** The number of the page, from 1. */
  readonly page: number
  /** Rows per page. */
  readonly size: number
  /** Default: not counted. */
  readonly total?: Total | undefined
}
