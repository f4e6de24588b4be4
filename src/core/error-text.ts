/**
 * What an error says, or its code where it says nothing. Where a name has several addresses, as `localhost` has on most machines, none of
 * which answers, it is the error of the first that says why.
 */
export function errorText(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return errorText(error.errors[0])
  if (!(error instanceof Error)) return String(error)
  return error.message === '' ? ((error as { code?: string }).code ?? error.name) : error.message
}
