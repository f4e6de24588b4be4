import { eq } from 'drizzle-orm'
import type { App } from 'plimsoll'
import { clips, type relations } from '../schema.ts'

type Transaction = Parameters<Parameters<App<typeof relations>['db']['transaction']>[0]>[0]

/** Reads a clip that only this transaction changes until its end: of two who do, the second one knows what the first one has made of it. */
export async function lockClip(tx: Transaction, id: string): Promise<typeof clips.$inferSelect | undefined> {
  const [clip] = await tx.drizzle.select().from(clips).where(eq(clips.id, id)).for('update')
  return clip
}
