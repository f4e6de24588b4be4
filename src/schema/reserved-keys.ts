/** Keys of `defineRelations` that cannot name a model, because `db.<key>` already means something else. */
export const reservedModelKeys: ReadonlySet<string> = new Set([
  'transaction',
  'drizzle',
  'raw',
  'then',
  'afterCommit',
  'postgres',
  'graph',
  'close',
])

/** Property names that the filter language keeps for itself. */
export const reservedFieldKeys: ReadonlySet<string> = new Set(['AND', 'OR', 'NOT', 'RAW', '__proto__'])
