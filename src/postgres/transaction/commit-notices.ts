import type { CommitItems, CommitNotice } from '../contract.ts'

/** True for a NOTIFY among what leaves with a COMMIT. */
export function isNotice(item: CommitItems[number]): item is CommitNotice {
  return 'channel' in item
}

/** The statement that sends notices; a simple text, so that it can travel in one message with a COMMIT. */
export function noticesSql(notices: readonly CommitNotice[]): string {
  return `select ${notices.map(({ channel, payload }) => `pg_notify(${literal(channel)}, ${literal(payload)})`).join()}`
}

/** Means the same whatever `standard_conforming_strings` is. */
function literal(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}
