export type * from './contract.ts'
export { openPostgres } from './open-postgres.ts'
export type { PostgresOptions } from './options.ts'
export { createStatement } from './statement.ts'
