const timeoutMs = 15_000

/** A request that did not end well; `message` can be shown to a reader. */
export class ApiError extends Error {
  constructor(message, status) {
    super(message)
    this.status = status
  }

  /** True when the address itself is wrong: asking again would be answered the same. */
  get refused() {
    return this.status === 400 || this.status === 404
  }
}

/**
 * GETs one address under /api as JSON.
 *
 * @throws ApiError when the service cannot be reached, takes longer than 15 seconds, or answers with a problem.
 */
export function get(path, { query = {}, signal } = {}) {
  const parameters = new URLSearchParams(Object.entries(query).filter(([, value]) => value))
  return ask(parameters.size === 0 ? path : `${path}?${parameters}`, { signal })
}

/**
 * POSTs `content` as JSON to an address under /api.
 *
 * @throws ApiError as `get` does.
 */
export function post(path, content) {
  const headers = { 'content-type': 'application/json' }
  return ask(path, { method: 'POST', headers, body: JSON.stringify(content) })
}

/**
 * PUTs a file to an address under /api.
 *
 * @throws ApiError as `get` does.
 */
export function put(path, file, type) {
  return ask(path, { method: 'PUT', headers: { 'content-type': type }, body: file })
}

/**
 * DELETEs one address under /api.
 *
 * @throws ApiError as `get` does.
 */
export function remove(path) {
  return ask(path, { method: 'DELETE' })
}

async function ask(address, { signal, ...request }) {
  const limit = AbortSignal.timeout(timeoutMs)
  let response
  let body
  try {
    response = await fetch(address, { ...request, signal: signal ? AbortSignal.any([signal, limit]) : limit })
    body = await response.json()
  } catch (error) {
    if (signal?.aborted) throw error
    if (limit.aborted) throw new ApiError('The answer did not come in time.', 0)
    // An answer that is no JSON comes from something in between, not from the service.
    throw new ApiError(
      response ? 'The answer could not be read.' : 'The service cannot be reached.',
      response?.status ?? 0,
    )
  }
  if (!response.ok) throw new ApiError(`${body.title ?? 'The request failed'}.`, response.status)
  return body
}

/** All pages of a short list. */
export async function getAll(path, query) {
  const rows = []
  let after
  do {
    const { data, page } = await get(path, { query: { ...query, after } })
    rows.push(...data)
    after = page.next
  } while (after)
  return rows
}

/** A text as a pattern for `ilike` that finds it anywhere; its own wildcards are taken literally. */
export function containing(text) {
  return text && `%${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`
}
