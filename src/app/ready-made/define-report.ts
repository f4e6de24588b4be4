import { isPlimsollError, PlimsollError, showValue } from '../../core/errors.ts'
import { parseDuration, type Duration } from '../../core/duration.ts'
import type { Models } from '../../db/types/model.ts'
import type { Db } from '../../db/types.ts'
import { isKey } from '../../files/index.ts'
import { writeCsv, type CsvOptions } from '../../files/sheets/csv.ts'
import type { SheetColumn } from '../../files/sheets/sheet.ts'
import { writeXlsx, type XlsxOptions } from '../../files/sheets/xlsx/xlsx.ts'
import { contentDisposition } from '../../http/files/content-disposition.ts'
import type { InputOf, OutputOf, Schema } from '../../jobs/standard-schema.ts'
import type { Job, JobContext } from '../../jobs/types.ts'
import { reportFact, removeOldReports } from './old-reports.ts'
import { defineReadyJob, withUpkeep, type ReadyJobOptions, type ReadyServices } from './ready-job.ts'
import { countRows, readRows, type RowOf, type RowSource } from './report-rows.ts'

/** One column of a report. */
export interface ReportColumn<Row> extends Omit<SheetColumn, 'header'> {
  readonly header: string
  /** A path, such as `'channel.name'`, or what to make of a row. */
  readonly value: ColumnPath<Row> | ((row: Row) => unknown)
}

/** A member of a row, or one of what it holds. */
export type ColumnPath<Row> = (keyof Row & string) | `${keyof Row & string}.${string}`

/** What `rows` is given beside the input. */
export interface ReportTools<S extends Models> {
  readonly db: Db<S>
  readonly signal: AbortSignal
}

/** What the job has written. */
export interface ReportOutput {
  /** Where it lies in the storage. */
  readonly key: string
  readonly fileName: string
  readonly type: string
  readonly size: number
  readonly rows: number
  /** A signed address that holds for `linkExpires`, such as `app.files.url` makes; null where nobody serves the files of the storage. */
  readonly url: string | null
}

/** The options of {@link defineReport}: those of a job, and what is written. The queue is `'reports'` unless they say otherwise. */
export interface DefineReportOptions<
  I extends Schema,
  Source extends RowSource<any>,
  S extends Models,
> extends ReadyJobOptions<I> {
  /** The schema of the application, which says what `db` has. */
  readonly relations?: S | undefined
  /** A queryset, which is read a thousand rows at a time, or anything that can be iterated. Return it; do not await it. */
  readonly rows: (input: OutputOf<I>, tools: ReportTools<S>) => Source
  readonly columns: readonly (ColumnPath<RowOf<Source>> | ReportColumn<RowOf<Source>>)[]
  /** Default `'csv'`. */
  readonly format?: 'csv' | 'xlsx' | ((input: OutputOf<I>) => 'csv' | 'xlsx') | undefined
  /** What it is called when it is stored by a browser. Default: the name of the job. */
  readonly fileName?: string | ((input: OutputOf<I>) => string) | undefined
  /** How the whole of the progress is known: by counting, by the planner's estimate, or not at all. Default `'exact'`. */
  readonly total?: 'exact' | 'estimated' | false | undefined
  readonly csv?: CsvOptions | undefined
  readonly xlsx?: XlsxOptions | undefined
  /** What keys of reports begin with. Default `'reports'`. */
  readonly folder?: string | undefined
  /** How long the address of the output holds. Default `'1d'`, or as long as the file is kept. */
  readonly linkExpires?: Duration | undefined
  /** How long the file is kept; a schedule removes it afterwards. False keeps it for good. Default `'7d'`. */
  readonly keepFile?: Duration | false | undefined
}

const types = {
  csv: 'text/csv; charset=utf-8',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
} as const
const dayMs = 86_400_000
/** How often progress is told, in rows. */
const step = 1000
/** How often it is looked for files that are too old: in their own time, within bounds. */
const lookMs = { least: 60_000, most: 3_600_000 } as const

/**
 * Defines a report: a job that writes rows into a CSV or XLSX file in the storage, in constant memory, however many there are.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 * @example
 * export const films = defineReport('reports.films', {
 *   relations,
 *   input: z.object({ year: z.number() }),
 *   rows: ({ year }, { db }) => db.films.filter({ year }).selectRelated('channel').orderBy('id'),
 *   columns: ['title', { header: 'Channel', value: 'channel.name' }, { header: 'Minutes', value: ({ seconds }) => seconds / 60 }],
 *   format: 'xlsx',
 *   fileName: ({ year }) => `films-${year}`,
 * })
 * const { key, rows } = await (await films.enqueue({ year: 2026 })).result()
 */
export function defineReport<I extends Schema, Source extends RowSource<any>, S extends Models = Models>(
  name: string,
  options: DefineReportOptions<I, Source, S>,
): Job<InputOf<I>, ReportOutput> {
  const { relations: _, rows, columns: given, format = 'csv', fileName = name, total = 'exact', ...others } = options
  const { csv = {}, xlsx = {}, folder = 'reports', linkExpires, keepFile = '7d', ...jobOptions } = others
  const columns = given.map((column) => (typeof column === 'object' ? column : { header: column, value: column }))
  if (columns.length === 0)
    throw invalid('columns', given, "give some, such as ['id', { header: 'Name', value: 'name' }]")
  if (typeof format !== 'function') checkFormat(format)
  if (![false, 'exact', 'estimated'].includes(total))
    throw invalid('total', total, "give 'exact', 'estimated' or false")
  if (!isKey(folder)) throw invalid('folder', folder, "give a folder of keys, such as 'reports'")
  const keepMs = keepFile === false ? Number.POSITIVE_INFINITY : parseDuration(keepFile, 'keepFile')
  const linkMs = linkExpires === undefined ? Math.min(dayMs, keepMs) : parseDuration(linkExpires, 'linkExpires')
  if (linkMs > keepMs) throw invalid('linkExpires', linkExpires, `give up to the ${showValue(keepFile)} of keepFile`)
  const job: ReadyJobOptions<I> = { queue: 'reports', timeout: '1h', ...jobOptions }

  const run = async (input: OutputOf<I>, context: JobContext, { db, files }: ReadyServices): Promise<ReportOutput> => {
    const { id, signal, progress } = context
    const kind = typeof format === 'function' ? checkFormat(format(input)) : format
    const key = `${folder}/${id}.${kind}`
    const called = typeof fileName === 'function' ? fileName(input) : fileName
    const full = called.toLowerCase().endsWith(`.${kind}`) ? called : `${called}.${kind}`
    const source = rows(input, { db: db as unknown as Db<S>, signal })
    const whole = await countRows(source, { total, signal })
    const disposition = contentDisposition('attachment', full)
    let count = 0
    progress(0, whole)
    const values = readRows(source, {
      signal,
      columns: columns.map(({ value }) => value),
      onRow: () => {
        if (++count % step === 0) progress(count, whole === undefined ? undefined : Math.max(whole, count))
      },
    })
    const body = kind === 'csv' ? writeCsv(values, { ...csv, columns }) : writeXlsx(values, { ...xlsx, columns })
    // A run before this one may have written it, and died before it could say so: then it is replaced.
    const stored = await files.put(key, body, {
      type: types[kind],
      disposition,
      cacheControl: 'private, no-store',
      metadata: { [reportFact]: name },
      signal,
    })
    progress(count, count)
    const url = await files.url(key, { expires: linkMs, disposition }).catch(noUrl)
    return { key, fileName: full, type: types[kind], size: stored.size, rows: count, url }
  }
  const report = defineReadyJob(name, job, run)
  return keepFile === false ? report : withExpiry(report, { folder, keepMs, queue: job.queue })
}

/** Has the application that knows a report remove its files once they are too old. */
function withExpiry<I, O>(
  report: Job<I, O>,
  { folder, keepMs, queue }: { readonly folder: string; readonly keepMs: number; readonly queue: string | undefined },
): Job<I, O> {
  return withUpkeep(report, {
    kind: 'expire',
    queue,
    every: Math.min(Math.max(keepMs, lookMs.least), lookMs.most),
    run: ({ signal, progress }, { files }) =>
      removeOldReports(files, {
        folder,
        name: report.name,
        before: Date.now() - keepMs,
        signal,
        onRemoved: (count) => progress(count),
      }),
  })
}

/** A disk that nobody serves: the file is there all the same. */
function noUrl(error: unknown): null {
  if (isPlimsollError(error, 'PLIMSOLL_FEATURE_UNSUPPORTED')) return null
  throw error
}

function checkFormat(format: string): 'csv' | 'xlsx' {
  if (format === 'csv' || format === 'xlsx') return format
  throw invalid('format', format, "give 'csv' or 'xlsx'")
}

function invalid(option: string, value: unknown, fix: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} of defineReport() is ${showValue(value)}; ${fix}.`, {
    details: { option },
  })
}
