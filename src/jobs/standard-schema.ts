/** What a value is checked by: any library that follows Standard Schema, such as Zod, Valibot or ArkType (https://standardschema.dev). */
export interface Schema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema takes. */
export type InputOf<S extends Schema> = NonNullable<S['~standard']['types']>['input']
/** What a schema gives. */
export type OutputOf<S extends Schema> = NonNullable<S['~standard']['types']>['output']

/** What is wrong with a value, in one line. */
export function describeIssues(issues: readonly SchemaIssue[]): string {
  const shown = issues.slice(0, 5).map(({ message, path = [] }) => {
    const where = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.')
    return where === '' ? message : `${where}: ${message}`
  })
  return issues.length > 5 ? `${shown.join('; ')} and ${issues.length - 5} more` : shown.join('; ')
}
