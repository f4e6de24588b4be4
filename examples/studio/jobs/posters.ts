import { defineImages, type App } from 'plimsoll'
import type { relations } from '../schema.ts'
import { drawPoster } from './draw-poster.ts'

/** Where posters lie that were made; everybody may see them. */
export const posterFolder = 'posters/made'

/** Makes a poster in the sizes and formats that a page needs. What is drawn is ours, so that it may be SVG. */
export const posters = defineImages('films.poster', {
  variants: {
    card: { width: 480, format: 'webp' },
    fine: { width: 960, format: 'avif' },
    square: { width: 200, height: 200, fit: 'cover', format: 'jpeg' },
  },
  folder: posterFolder,
  limits: { svg: true },
})

/** Draws a poster of one of the films that are watched most, and stores the drawing for the job. */
export async function posterInput({ db, files }: App<typeof relations>): Promise<{ key: string }> {
  const films = await db.videos.filter({ status: 'published' }).orderBy('-views').limit(20).valuesList('id')
  const id = films[Math.floor(Math.random() * films.length)]!
  const key = `posters/drawn/${id}.svg`
  await files.put(key, Buffer.from(drawPoster(id)), { type: 'image/svg+xml' })
  return { key }
}
