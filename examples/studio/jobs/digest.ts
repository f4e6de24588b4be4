import { defineMail, html, type App } from 'plimsoll'
import { z } from 'zod'
import type { relations } from '../schema.ts'

/** A mail to the readers that names some films. Without a MAIL_URL it is kept, and shown where the studio runs. */
export const digest = defineMail('films.digest', {
  input: z.object({ films: z.array(z.object({ title: z.string(), channel: z.string() })) }),
  from: 'Waterline <hello@waterline.example>',
  to: 'Readers of Waterline <readers@waterline.example>',
  subject: ({ films }) => `${films.length} films that everybody watches`,
  text: ({ films }) => films.map(({ title, channel }, i) => `${i + 1}. ${title} — ${channel}`).join('\n'),
  html: ({ films }) =>
    html`<ol>
      ${films.map(({ title, channel }) => html`<li><b>${title}</b>, by ${channel}</li>`)}
    </ol>`,
})

/** What the mail says today. */
export async function digestInput({
  db,
}: App<typeof relations>): Promise<{ films: { title: string; channel: string }[] }> {
  const films = await db.videos.filter({ status: 'published' }).selectRelated('channel').orderBy('-views').limit(5)
  return { films: films.map(({ title, channel }) => ({ title, channel: channel.name })) }
}
