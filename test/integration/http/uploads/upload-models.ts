import { defineRelations } from 'drizzle-orm'
import * as pg from 'drizzle-orm/pg-core'
import { z } from 'zod'
import { defineJob } from '../../../../src/app/index.ts'
import type { Job } from '../../../../src/jobs/index.ts'

export const assets = pg.pgTable('assets', {
  id: pg.integer().primaryKey().generatedAlwaysAsIdentity(),
  key: pg.text().notNull(),
  type: pg.text().notNull(),
  size: pg.bigint({ mode: 'number' }).notNull(),
})

export const relations = defineRelations({ assets })
export const script =
  'create table if not exists assets (id int primary key generated always as identity, key text not null, type text not null, size bigint not null)'

/** What is made of a file; each application has one of its own, since a job belongs to the last that was opened with it. */
export function defineProbe(): Job<{ readonly key: string }, unknown> {
  return defineJob('probe', { input: z.object({ key: z.string() }) }, () => {})
}
