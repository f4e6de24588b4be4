/** One row of the error table: the HTTP status the error maps to, a short title, and the fix. */
export interface ErrorCodeEntry {
  readonly status: number
  readonly title: string
  readonly fix: string
}

/**
 * Every error a user can meet. Codes are never reused; `docs/errors.md` lists the same codes, and a test fails when the
 * two disagree. A 4xx entry blames the caller of an API, a 5xx entry the service or its engines.
 */
export const errorCodes = {
  PLIMSOLL_OPTION_INVALID: {
    status: 500,
    title: 'An option is not valid',
    fix: 'Correct the named option; the message says what is accepted.',
  },
  PLIMSOLL_PEER_MISSING: {
    status: 500,
    title: 'An optional package is not installed',
    fix: 'Install the package that the message names.',
  },
  PLIMSOLL_SCHEMA_INVALID: {
    status: 500,
    title: 'The schema cannot be used',
    fix: 'Change the named table or relation as the message says.',
  },
  PLIMSOLL_DATABASE_UNREACHABLE: {
    status: 503,
    title: 'The database cannot be reached',
    fix: 'Check DATABASE_URL and that the server is up; the pool reconnects by itself.',
  },
  PLIMSOLL_DATABASE_LOCKED: {
    status: 503,
    title: 'The embedded database is in use',
    fix: 'Stop the process that the message names, or set DATABASE_URL to a PostgreSQL server, which many can use.',
  },
  PLIMSOLL_DATABASE_CLOSED: {
    status: 503,
    title: 'The database was closed',
    fix: 'Nothing while the process ends; otherwise close the app or the pool after the last use of it.',
  },
  PLIMSOLL_DATABASE_BUSY: {
    status: 503,
    title: 'No database connection became free in time',
    fix: 'Shorten what holds the connections, or raise the limit that the message names.',
  },
  PLIMSOLL_OUTBOX_UNAVAILABLE: {
    status: 500,
    title: 'The table of the outbox cannot be used',
    fix: 'Run `plimsoll migrate` as a role that may create it, or grant what the message names.',
  },
  PLIMSOLL_JOBS_UNAVAILABLE: {
    status: 500,
    title: 'What is to keep the jobs cannot be used',
    fix: 'Do what the message names: run `plimsoll migrate` as a role that may create the tables, or set up the server for jobs.',
  },
  PLIMSOLL_JOBS_UNREACHABLE: {
    status: 503,
    title: 'The queue of the jobs cannot be reached',
    fix: 'Check QUEUE_URL and the server that it names; jobs that are enqueued in a transaction are kept until it is back.',
  },
  PLIMSOLL_JOBS_CLOSED: {
    status: 503,
    title: 'The jobs were closed',
    fix: 'Nothing while the process ends; otherwise close the app or the jobs when nobody enqueues or waits for a result any more. What was enqueued is not lost.',
  },
  PLIMSOLL_JOB_INPUT_INVALID: {
    status: 422,
    title: 'The input of a job does not fit its schema',
    fix: 'Correct what the message names; nothing was enqueued.',
  },
  PLIMSOLL_JOB_UNBOUND: {
    status: 500,
    title: 'No application knows the job',
    fix: 'List the job in `createApp({ jobs: [ … ] })`, or enqueue it with `app.jobs`.',
  },
  PLIMSOLL_JOB_UNKNOWN: {
    status: 404,
    title: 'There is no such job',
    fix: 'Check the id; what came of a job is kept for its `keep` only.',
  },
  PLIMSOLL_JOB_FAILED: {
    status: 500,
    title: 'A job has failed',
    fix: 'Look at `cause`, which is what it has failed of; `jobs.redrive` runs it again.',
  },
  PLIMSOLL_JOB_TIMEOUT: {
    status: 504,
    title: 'A job took longer than its time',
    fix: 'Raise `timeout`, or let its handler heed `signal`.',
  },
  PLIMSOLL_JOB_IN_TRANSACTION: {
    status: 500,
    title: 'A job is waited for inside a transaction',
    fix: 'Await result() behind the transaction: hand the handle out of it.',
  },
  PLIMSOLL_JOB_RUNNING: {
    status: 409,
    title: 'A job has not ended yet',
    fix: 'Ask again later, or follow its events.',
  },
  PLIMSOLL_JOB_ENDED: {
    status: 409,
    title: 'A job has ended already',
    fix: 'Nothing; what came of it can be read.',
  },
  PLIMSOLL_JOB_CANCELLED: {
    status: 409,
    title: 'A job was cancelled',
    fix: 'Nothing, or enqueue it again.',
  },
  PLIMSOLL_JOB_CRASHED: {
    status: 500,
    title: 'The process of a sandboxed job has ended',
    fix: 'Do what the message says; the other jobs of the worker were not disturbed.',
  },
  PLIMSOLL_JOB_SANDBOX_INVALID: {
    status: 500,
    title: 'The module of a sandboxed job cannot be used',
    fix: 'Export the job, under any name, from the module that `sandbox.module` names; let that module open nothing when it is imported.',
  },
  PLIMSOLL_JOB_OUTPUT_INVALID: {
    status: 500,
    title: 'What a job has returned cannot be kept',
    fix: 'Have the handler return what the message asks for: what fits `output`, is JSON, and has 1 MB at most.',
  },
  PLIMSOLL_JOB_PARKED: {
    status: 503,
    title: 'No worker knows the job, or its version of the input',
    fix: 'Start a worker that does: list the job in `createApp({ jobs: [ … ] })`, or deploy the newer version; it goes on by itself then.',
  },
  PLIMSOLL_JOB_QUARANTINED: {
    status: 500,
    title: 'Workers have died while they ran the job',
    fix: 'Find out what has ended them, such as memory or a crash; give the job a `sandbox`. `jobs.redrive` runs it again.',
  },
  PLIMSOLL_MAIL_REFUSED: {
    status: 502,
    title: 'A mail was refused for good',
    fix: 'Correct what the server says of it, such as an address that there is not; `jobs.redrive` sends it again.',
  },
  PLIMSOLL_MAIL_DEFERRED: {
    status: 503,
    title: 'A mail was not taken yet',
    fix: 'Nothing, it is tried again; if it has failed for good, check MAIL_URL and what the server says.',
  },
  PLIMSOLL_SHEET_INVALID: {
    status: 500,
    title: 'Rows do not fit into a spreadsheet',
    fix: 'Change the value or the column that the message names.',
  },
  PLIMSOLL_IMAGE_INVALID: {
    status: 422,
    title: 'The file is no image that can be read',
    fix: 'Give an image of a kind that is taken, whole and undamaged: JPEG, PNG, WebP, GIF, AVIF, HEIF or TIFF.',
  },
  PLIMSOLL_IMAGE_TOO_LARGE: {
    status: 422,
    title: 'An image is larger than it may be',
    fix: 'Give a smaller one, or raise the limit that the message names.',
  },
  PLIMSOLL_IMAGE_TIMEOUT: {
    status: 422,
    title: 'An image took longer to read than it may',
    fix: 'Give a simpler one, or raise `limits.timeout`.',
  },
  PLIMSOLL_IMAGES_BUSY: {
    status: 503,
    title: 'Too many images wait to be made',
    fix: 'Try again later; make the variants by a job, where nobody waits for them.',
  },
  PLIMSOLL_STATEMENT_TIMEOUT: {
    status: 504,
    title: 'A statement took longer than its time-out',
    fix: 'Add the index that the statement needs, or raise `statementTimeout`.',
  },
  PLIMSOLL_LOCK_UNAVAILABLE: {
    status: 503,
    title: 'A lock is held by another transaction',
    fix: 'Retry, or wait for the lock: without NOWAIT, or with a longer `lock_timeout`.',
  },
  PLIMSOLL_STATEMENT_CANCELLED: {
    status: 499,
    title: 'A statement was cancelled by its AbortSignal',
    fix: 'Nothing to fix: the caller asked for it.',
  },
  PLIMSOLL_STATEMENT_FAILED: {
    status: 500,
    title: 'PostgreSQL refused a statement',
    fix: 'Read the SQLSTATE and the message of the cause.',
  },
  PLIMSOLL_CONSTRAINT_VIOLATED: {
    status: 409,
    title: 'A constraint of the database refused the write',
    fix: 'Change the value, or handle the conflict with `onConflict`.',
  },
  PLIMSOLL_SERIALIZATION_FAILED: {
    status: 503,
    title: 'A transaction lost against a concurrent one',
    fix: 'Retry the transaction, or pass `retries` to `db.transaction`.',
  },
  PLIMSOLL_TRANSACTION_CLOSED: {
    status: 500,
    title: 'A transaction was used after it ended',
    fix: 'Await everything that uses the transaction inside its callback.',
  },
  PLIMSOLL_FEATURE_UNSUPPORTED: {
    status: 500,
    title: 'The engine cannot do this',
    fix: 'Use the engine or the setting that the message names.',
  },
  PLIMSOLL_FIELD_UNKNOWN: {
    status: 400,
    title: 'Unknown field',
    fix: 'Use one of the fields that the message lists.',
  },
  PLIMSOLL_RELATION_UNKNOWN: {
    status: 400,
    title: 'Unknown relation',
    fix: 'Use one of the relations that the message lists.',
  },
  PLIMSOLL_OPERATOR_UNKNOWN: {
    status: 400,
    title: 'Unknown filter operator',
    fix: 'Use one of the operators that the message lists.',
  },
  PLIMSOLL_FILTER_INVALID: {
    status: 400,
    title: 'The filter cannot be used',
    fix: 'Correct the filter as the message says.',
  },
  PLIMSOLL_FILTER_TOO_COMPLEX: {
    status: 400,
    title: 'The filter is too long or too deeply nested',
    fix: 'Send fewer or flatter conditions; the message names the limit.',
  },
  PLIMSOLL_ORDER_INVALID: {
    status: 400,
    title: 'The order cannot be used',
    fix: 'Use one of the orders that the message lists.',
  },
  PLIMSOLL_VALUE_INVALID: {
    status: 400,
    title: 'A value does not fit its column',
    fix: 'Send a value of the type that the message names.',
  },
  PLIMSOLL_VALUE_UNREADABLE: {
    status: 500,
    title: 'A value of the database does not fit what the schema says of its column',
    fix: 'Declare the column as the message says, or mend the value.',
  },
  PLIMSOLL_PARAMETER_UNKNOWN: {
    status: 400,
    title: 'Unknown query parameter',
    fix: 'Use one of the parameters that the message lists.',
  },
  PLIMSOLL_PARAMETER_INVALID: {
    status: 400,
    title: 'A query parameter is not valid',
    fix: 'Correct the parameter as the message says.',
  },
  PLIMSOLL_CURSOR_INVALID: {
    status: 400,
    title: 'The cursor is not valid for this list',
    fix: 'Start again without a cursor; cursors belong to one order and one set of filters.',
  },
  PLIMSOLL_PAGE_INVALID: {
    status: 400,
    title: 'The page cannot be served',
    fix: 'Keep the page size and number within the limits that the message names.',
  },
  PLIMSOLL_NOT_FOUND: {
    status: 404,
    title: 'No row matches',
    fix: 'Use `find` or `first` where a missing row is expected: they answer null.',
  },
  PLIMSOLL_NOT_UNIQUE: {
    status: 409,
    title: 'More than one row matches',
    fix: 'Narrow the filter to a unique key, or use `first` with an order.',
  },
  PLIMSOLL_QUERY_INVALID: {
    status: 500,
    title: 'The queryset cannot be run',
    fix: 'Change the call as the message says.',
  },
  PLIMSOLL_CACHE_UNREACHABLE: {
    status: 503,
    title: 'The cache cannot be reached',
    fix: 'Check CACHE_URL and that the server is up; until then values are loaded each time.',
  },
  PLIMSOLL_CACHE_VALUE_INVALID: {
    status: 500,
    title: 'A value cannot be cached',
    fix: 'Cache plain data; the message names what it is that cannot be kept.',
  },
  PLIMSOLL_CACHE_VALUE_TOO_LARGE: {
    status: 500,
    title: 'A value is too large for the cache',
    fix: 'Cache less of it, or raise the limit that the message names.',
  },
  PLIMSOLL_CACHE_LOAD_TIMEOUT: {
    status: 504,
    title: 'A loader took too long',
    fix: 'Make the loader faster or let it listen to its signal; raise loadTimeout if it may take that long.',
  },
  PLIMSOLL_CACHE_LOAD_FAILED: {
    status: 502,
    title: 'A value could not be loaded',
    fix: 'Another process tried to load it and failed; the message says why.',
  },
  PLIMSOLL_CACHE_CLOSED: {
    status: 503,
    title: 'The cache was closed',
    fix: 'Do not use the cache after close().',
  },
  PLIMSOLL_FILE_KEY_INVALID: {
    status: 400,
    title: 'A key cannot name a file',
    fix: 'Use 1 to 900 bytes of text: parts between single slashes, none of them empty, `.` or `..`, without control characters and backslashes.',
  },
  PLIMSOLL_FILE_FACTS_INVALID: {
    status: 400,
    title: 'What is to be kept beside a file is not valid',
    fix: 'Correct the type, header or metadata that the message names.',
  },
  PLIMSOLL_FILE_NOT_FOUND: {
    status: 404,
    title: 'There is no such file',
    fix: 'Check the key; use `head` where a missing file is expected: it answers undefined.',
  },
  PLIMSOLL_FILE_EXISTS: {
    status: 412,
    title: 'A file is there already',
    fix: 'Choose another key, or leave `ifAbsent` out to replace it.',
  },
  PLIMSOLL_FILE_CHANGED: {
    status: 412,
    title: 'The file is not the one that was expected',
    fix: 'Read it again and decide anew: somebody has replaced or removed it.',
  },
  PLIMSOLL_FILE_CORRUPT: {
    status: 422,
    title: 'The bytes are not those that were announced',
    fix: 'Send them again; the message says what differs. Nothing was stored.',
  },
  PLIMSOLL_FILE_TOO_LARGE: {
    status: 413,
    title: 'The file is larger than the storage takes',
    fix: 'Store less in one file; the message names the limit.',
  },
  PLIMSOLL_FILE_RANGE_INVALID: {
    status: 416,
    title: 'The range is not within the file',
    fix: 'Ask for bytes that the file has; `head` knows its size.',
  },
  PLIMSOLL_UPLOAD_NOT_FOUND: {
    status: 404,
    title: 'There is no such upload',
    fix: 'Begin a new upload: this one was ended, or is too old.',
  },
  PLIMSOLL_UPLOAD_INVALID: {
    status: 400,
    title: 'An upload cannot be as it was asked for',
    fix: 'Correct what the message names, and send the request again.',
  },
  PLIMSOLL_UPLOAD_FORBIDDEN: {
    status: 403,
    title: 'Who asks may not upload here',
    fix: 'Sign in as somebody who may; `authorize` of the uploads decides.',
  },
  PLIMSOLL_UPLOAD_TOO_LARGE: {
    status: 413,
    title: 'The file is larger than what is taken',
    fix: 'Send a smaller one; the option `maxBytes` of the uploads is the limit.',
  },
  PLIMSOLL_UPLOAD_TYPE_REFUSED: {
    status: 415,
    title: 'The file is of a type that is not taken',
    fix: 'Send one of the types that the message names; what counts is what its first bytes say.',
  },
  PLIMSOLL_UPLOAD_REFUSED: {
    status: 422,
    title: 'The file was refused when it was verified',
    fix: 'Begin a new upload with a file that is as it was announced; the message says what differs.',
  },
  PLIMSOLL_UPLOAD_INCOMPLETE: {
    status: 409,
    title: 'Not all bytes of the upload are there',
    fix: 'Send what is missing, and complete it again.',
  },
  PLIMSOLL_UPLOAD_ENDED: {
    status: 409,
    title: 'The upload has ended',
    fix: 'Begin a new one: what has ended takes no bytes, and what is stored is not given up.',
  },
  PLIMSOLL_UPLOAD_OFFSET: {
    status: 409,
    title: 'The bytes do not go on from what is there',
    fix: 'Ask by HEAD how much is there, and go on from that.',
  },
  PLIMSOLL_UPLOAD_BUSY: {
    status: 423,
    title: 'Somebody else sends bytes of the upload',
    fix: 'Try again in half a minute: whoever is gone loses the right to it by then.',
  },
  PLIMSOLL_UPLOAD_CHECKSUM: {
    status: 460,
    title: 'The bytes have not the checksum that came with them',
    fix: 'Send them again.',
  },
  PLIMSOLL_UPLOAD_CHECKSUM_UNSUPPORTED: {
    status: 422,
    title: 'The storage does not check such a checksum of a part',
    fix: 'Leave it out, or send one of those that `parts.checksums` of the ticket names.',
  },
  PLIMSOLL_UPLOADS_UNAVAILABLE: {
    status: 500,
    title: 'The tables of uploads cannot be used',
    fix: 'Run `plimsoll migrate` as a role that may create them, or grant what the message names.',
  },
  PLIMSOLL_SIGNATURE_INVALID: {
    status: 403,
    title: 'The signed address is not valid',
    fix: 'Ask for a new address: it was changed, has expired, or is for something else.',
  },
  PLIMSOLL_STORAGE_UNREACHABLE: {
    status: 503,
    title: 'The storage cannot be reached',
    fix: 'Check STORAGE_URL and that the storage is up; calls work again as soon as it is.',
  },
  PLIMSOLL_STORAGE_UNAVAILABLE: {
    status: 500,
    title: 'The storage cannot be used',
    fix: 'Mend what the message names: the credentials, the bucket, or the rights to the folder.',
  },
  PLIMSOLL_STORAGE_FULL: {
    status: 507,
    title: 'The storage is full',
    fix: 'Make room, or give it more. Nothing was stored.',
  },
  PLIMSOLL_STORAGE_CLOSED: {
    status: 503,
    title: 'The storage was closed',
    fix: 'Do not use files after close().',
  },
  PLIMSOLL_MEDIA_INVALID: {
    status: 422,
    title: 'A media file cannot be used',
    fix: 'Give a whole file in a usual format; the message says what is wrong with this one.',
  },
  PLIMSOLL_MEDIA_TOO_LARGE: {
    status: 413,
    title: 'A media file is above a limit',
    fix: 'Give a smaller or shorter one, or raise the limit that the message names.',
  },
  PLIMSOLL_MEDIA_TIMEOUT: {
    status: 504,
    title: 'Work on a media file took longer than its time',
    fix: 'Raise `limits.time`, have the video cut into shorter chunks by the option `chunk`, or use a faster preset.',
  },
  PLIMSOLL_MEDIA_TOOL_MISSING: {
    status: 500,
    title: 'A program that videos are made with is not there',
    fix: 'Install what the message names.',
  },
  PLIMSOLL_MEDIA_TOOL_FAILED: {
    status: 500,
    title: 'A program that videos are made with has failed',
    fix: 'Read what it says; the job is tried again, and goes on from what was finished.',
  },
  PLIMSOLL_CDN_UNSUPPORTED: {
    status: 500,
    title: 'The CDN cannot do this',
    fix: 'Do what the message says, or use a provider that can; docs/cdn.md has a table of them.',
  },
  PLIMSOLL_CDN_UNREACHABLE: {
    status: 503,
    title: 'The CDN has not purged',
    fix: 'Nothing for purges of writes, which are tried again until they succeed; otherwise try later.',
  },
  PLIMSOLL_CDN_REFUSED: {
    status: 502,
    title: 'The CDN refuses a purge',
    fix: 'Correct what the message says, such as a token or the name of a service; purges of writes are kept until then.',
  },
  PLIMSOLL_WRITE_INVALID: {
    status: 400,
    title: 'The write cannot be run',
    fix: 'Change the values as the message says.',
  },
} as const satisfies Record<string, ErrorCodeEntry>

/** The code of a {@link PlimsollError}. */
export type ErrorCode = keyof typeof errorCodes
