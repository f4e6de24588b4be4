import { defineReport } from 'plimsoll'
import { z } from 'zod'
import { relations } from '../schema.ts'

/** Every published film as a spreadsheet, the most watched first: a file in the storage, and an address of it that holds for an hour. */
export const filmReport = defineReport('films.report', {
  relations,
  input: z.object({ format: z.enum(['csv', 'xlsx']) }),
  rows: (_, { db }) => db.videos.filter({ status: 'published' }).selectRelated('channel').orderBy('-views'),
  columns: [
    { header: 'Title', value: 'title', width: 44 },
    { header: 'Channel', value: 'channel.name', width: 28 },
    { header: 'Published', value: 'publishedAt', type: 'date', width: 12 },
    { header: 'Minutes', value: ({ durationSeconds }) => Math.round(durationSeconds / 6) / 10, width: 10 },
    { header: 'Views', value: 'views', width: 10 },
    { header: 'Comments', value: 'commentCount', width: 11 },
    { header: 'Description', value: 'description', width: 80 },
  ],
  format: ({ format }) => format,
  fileName: () => `waterline-films-${new Date().toISOString().slice(0, 10)}`,
  xlsx: { sheet: 'Films' },
  linkExpires: '1h',
})
