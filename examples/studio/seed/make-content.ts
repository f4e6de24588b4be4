import type { InferInsertModel } from 'drizzle-orm'
import type { articles, articleTags, channels, comments, tags, users, videos, videoTags } from '../schema.ts'
import { countries } from './names.ts'
import {
  articleSentences,
  articleTitles,
  bios,
  commentEndings,
  commentOpenings,
  replies,
  videoTitles,
} from './phrases.ts'
import { createRandom, type Random } from './random.ts'
import { themes, type Theme } from './themes.ts'

/** All rows of the invented publishing house, in an order that satisfies the foreign keys. */
export interface Content {
  readonly users: readonly InferInsertModel<typeof users>[]
  readonly channels: readonly InferInsertModel<typeof channels>[]
  readonly tags: readonly InferInsertModel<typeof tags>[]
  readonly videos: readonly InferInsertModel<typeof videos>[]
  readonly articles: readonly InferInsertModel<typeof articles>[]
  readonly videoTags: readonly InferInsertModel<typeof videoTags>[]
  readonly articleTags: readonly InferInsertModel<typeof articleTags>[]
  readonly comments: readonly InferInsertModel<typeof comments>[]
}

const channelsPerTheme = 4
const counts = { users: 2_000, videos: 6_000, articles: 1_500, comments: 60_000 }
const day = 86_400_000
/** Films and texts appear between these dates; comments may follow for three weeks. */
const firstDay = Date.UTC(2020, 2, 1)
const lastDay = Date.UTC(2026, 10, 1)

/** Makes the same content every time. Ids are given here, from 1, so that addresses are the same on every machine. */
export function makeContent(): Content {
  const random = createRandom(1876)
  const people = makeUsers(random)
  const houses = makeChannels(random)
  const labels = themes.flatMap((theme) => theme.tags).map(([slug, label], index) => ({ id: index + 1, slug, label }))
  const tagIds = new Map(labels.map((tag) => [tag.slug, tag.id]))
  const films = makeVideos(random)
  const texts = makeArticles(random)
  return {
    users: people,
    channels: houses,
    tags: labels,
    videos: films.map((film) => film.row),
    articles: texts,
    videoTags: films.flatMap(({ row }) =>
      pickTags(random, row.channelId, tagIds).map((tagId) => ({ videoId: row.id, tagId })),
    ),
    articleTags: texts.flatMap((text) =>
      pickTags(random, text.channelId, tagIds).map((tagId) => ({ articleId: text.id!, tagId })),
    ),
    comments: makeComments(random, films),
  }
}

function makeUsers(random: Random): Content['users'] {
  return numbers(counts.users).map((id) => {
    const country = random.pick(countries)
    const parts = [random.pick(country.given), random.pick(country.family)]
    const name = (country.familyFirst ? parts.toReversed() : parts).join(' ')
    return {
      id,
      handle: `${toSlug(parts[0]!) || 'reader'}${id}`,
      name,
      bio: random.chance(0.6) ? random.pick(bios) : null,
      country: random.chance(0.9) ? country.code : null,
      joinedAt: new Date(firstDay - 200 * day + Math.floor(random.next() * (lastDay - firstDay))),
    }
  })
}

function makeChannels(random: Random): Content['channels'] {
  return themes
    .flatMap((theme) => theme.channels)
    .map(([name, description], index) => ({
      id: index + 1,
      slug: toSlug(name),
      name,
      description,
      subscribers: Math.floor(400 * Math.exp(random.next() * 6)),
      ownerId: random.integer(1, counts.users),
      createdAt: new Date(firstDay - random.integer(1, 400) * day),
    }))
}

interface Film {
  readonly row: Content['videos'][number] & {
    readonly id: number
    readonly commentCount: number
    readonly publishedAt: Date
  }
  readonly subject: string
  readonly place: string
}

function makeVideos(random: Random): Film[] {
  return numbers(counts.videos).map((id) => {
    const channelId = random.integer(1, themes.length * channelsPerTheme)
    const theme = themeOf(channelId)
    const { title, subject, place } = makeTitle(random, theme, videoTitles)
    // Most films are seen by few and some by very many: the exponential of an even chance.
    const reach = Math.exp(random.next() * 5)
    const row = {
      id,
      channelId,
      title,
      description: random.sample(theme.sentences, random.integer(1, 3)).join(' '),
      status: toStatus(random, id < counts.videos),
      durationSeconds: random.integer(90, 3_300),
      views: Math.floor(reach * 900 * (0.5 + random.next())),
      // The newest film, first on the page, has enough comments to scroll through.
      commentCount: id === counts.videos ? 240 : Math.floor((reach / 30) * (counts.comments / counts.videos)),
      publishedAt: publicationDate(id, counts.videos),
    }
    return { row, subject, place }
  })
}

function makeArticles(random: Random): Content['articles'] {
  return numbers(counts.articles).map((id) => {
    const channelId = random.integer(1, themes.length * channelsPerTheme)
    const theme = themeOf(channelId)
    const { title, subject, place } = makeTitle(random, theme, articleTitles)
    const sentences = random.sample([...theme.sentences, ...articleSentences], random.integer(9, 18))
    const paragraphs = numbers(Math.ceil(sentences.length / 3)).map((n) => sentences.slice(n * 3 - 3, n * 3).join(' '))
    return {
      id,
      channelId,
      authorId: random.integer(1, counts.users),
      title,
      summary: random.pick(theme.sentences),
      body: fill(paragraphs.join('\n\n'), subject, place),
      status: toStatus(random, id < counts.articles),
      readingMinutes: random.integer(2, 14),
      publishedAt: publicationDate(id, counts.articles),
    }
  })
}

function makeComments(random: Random, films: readonly Film[]): Content['comments'] {
  let id = 0
  return films.flatMap(({ row, subject, place }) => {
    const published = row.publishedAt.getTime()
    const moments = numbers(row.commentCount)
      .map(() => published + Math.floor(random.next() ** 3 * 20 * day))
      .toSorted((a, b) => a - b)
    const firstId = id + 1
    return moments.map((moment, index) => {
      id++
      const answers = index > 0 && random.chance(0.25)
      const text = answers
        ? random.pick(replies)
        : `${random.pick(commentOpenings)} ${random.pick(commentEndings)}`.trim()
      return {
        id,
        videoId: row.id,
        authorId: random.integer(1, counts.users),
        replyToId: answers ? firstId + random.integer(0, index - 1) : null,
        body: fill(text, subject, place),
        createdAt: new Date(moment),
      }
    })
  })
}

/** Three of a hundred are drafts, which the API never shows. */
function toStatus(random: Random, mayBeDraft: boolean): 'draft' | 'published' {
  return random.chance(0.03) && mayBeDraft ? 'draft' : 'published'
}

function fill(text: string, subject: string, place: string): string {
  return text.replaceAll('{s}', subject).replaceAll('{p}', place)
}

/** Evenly spread, oldest first; every fortieth shares its moment with the one before, as imported rows do. */
function publicationDate(id: number, count: number): Date {
  const step = id % 40 === 0 ? id - 1 : id
  return new Date(firstDay + Math.floor(((lastDay - firstDay) / count) * step))
}

function makeTitle(
  random: Random,
  theme: Theme,
  titles: readonly string[],
): { title: string; subject: string; place: string } {
  const subject = random.pick(theme.subjects)
  const place = random.pick(theme.places)
  const title = random
    .pick(titles)
    .replace('{s}', subject)
    .replace('{S}', subject.charAt(0).toUpperCase() + subject.slice(1))
    .replace('{p}', place)
    .replace('{n}', String(random.integer(2, 9)))
  return { title: title.charAt(0).toUpperCase() + title.slice(1), subject, place }
}

/** One or two tags of the channel's own field, and now and then one of another. */
function pickTags(random: Random, channelId: number, tagIds: ReadonlyMap<string, number>): number[] {
  const own = random.sample(themeOf(channelId).tags, random.integer(1, 2))
  const other = random.chance(0.3) ? [random.pick(random.pick(themes).tags)] : []
  return [...new Set([...own, ...other].map(([slug]) => tagIds.get(slug)!))]
}

function themeOf(channelId: number): Theme {
  return themes[Math.floor((channelId - 1) / channelsPerTheme)]!
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1)
}

function toSlug(name: string): string {
  return name
    .normalize('NFD')
    .replaceAll(/\p{Mark}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
}
