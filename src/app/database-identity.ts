import { createStatement, readTexts, type Postgres } from '../postgres/index.ts'
import { isPlimsollError } from '../core/errors.ts'

const once = (text: string): ReturnType<typeof createStatement> =>
  createStatement(text, { prepare: false, tracked: true })

const ofCluster = once(
  `select system_identifier::text || '/' || d.oid from pg_control_system(), pg_database d where datname = current_database()`,
)
const ofName = once('select current_database()')

/**
 * What tells a database apart from every other one, the same in all processes and on its replicas: the identifier that its cluster
 * took when it was made, and its number there. Where that may not be asked for, its name.
 */
export async function databaseIdentity(postgres: Postgres): Promise<string> {
  try {
    return (await readTexts(postgres, ofCluster))[0]![0]!
  } catch (error) {
    // The function is there for everybody, unless somebody has taken it from them, and not in everything that speaks like PostgreSQL.
    if (!isPlimsollError(error, 'PLIMSOLL_STATEMENT_FAILED')) throw error
    return (await readTexts(postgres, ofName))[0]![0]!
  }
}
