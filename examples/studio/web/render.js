import { cover } from './covers.js'
import { element } from './element.js'

const whole = new Intl.NumberFormat('en-GB')
const compact = new Intl.NumberFormat('en-GB', { notation: 'compact', maximumFractionDigits: 1 })
const dayMonthYear = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })

/** 5836 → `5,836`. */
export const number = (value) => whole.format(value)

/** A moment as a `<time>`: `12 Nov 2026`. */
export const moment = (text) => element('time', { datetime: text }, dayMonthYear.format(new Date(text)))

/** `1 film`, `2 films`. */
export const counted = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`

/** 3725 → `1:02:05`. */
export function duration(seconds) {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  return [...(h ? [h, String(m).padStart(2, '0')] : [m]), String(s).padStart(2, '0')].join(':')
}

/** A link inside the page: `data-go` marks those that studio.js follows without loading anew. */
export const link = (href, attributes, ...children) =>
  element('a', { href, 'data-go': true, ...attributes }, ...children)

/** The links to the lists of each tag. */
export function tagLinks(view, tags) {
  return element(
    'ul',
    { class: 'tags', 'aria-label': 'Tags' },
    tags.map((tag) => element('li', {}, link(`/?view=${view}&tag=${encodeURIComponent(tag.slug)}`, {}, tag.label))),
  )
}

/** The link to the channel of a film or essay. */
export const channelLink = (view, channel) =>
  link(`/?view=${view}&channel=${encodeURIComponent(channel.slug)}`, { class: 'channel', dir: 'auto' }, channel.name)

/** A film in the list. `href` opens it. */
export function filmItem(film, href) {
  return element(
    'li',
    { class: 'film', 'data-id': film.id },
    element(
      'div',
      { class: 'picture' },
      cover(film.id, film.channel.id),
      element('span', { class: 'length' }, duration(film.durationSeconds)),
    ),
    element('h2', {}, link(href, { class: 'opens', dir: 'auto' }, film.title)),
    element(
      'p',
      { class: 'meta' },
      channelLink('videos', film.channel),
      moment(film.publishedAt),
      element('span', {}, `${compact.format(film.views)} views`),
      element('span', {}, counted(film.commentCount, 'comment')),
    ),
  )
}

/** An essay in the list. */
export function essayItem(essay, href) {
  return element(
    'li',
    { class: 'essay', 'data-id': essay.id },
    element('p', { class: 'meta' }, channelLink('articles', essay.channel), moment(essay.publishedAt)),
    element('h2', {}, link(href, { class: 'opens', dir: 'auto' }, essay.title)),
    element('p', { class: 'summary', dir: 'auto' }, essay.summary),
    element(
      'p',
      { class: 'meta' },
      element('span', { dir: 'auto' }, `by ${essay.author.name}`),
      element('span', {}, `${essay.readingMinutes} min`),
    ),
  )
}

/** A channel in the list. */
export function channelItem(channel) {
  const slug = encodeURIComponent(channel.slug)
  return element(
    'li',
    { class: 'house', 'data-id': channel.id },
    element('div', { class: 'sigil' }, cover(channel.id * 13, channel.id)),
    element('h2', {}, link(`/?view=videos&channel=${slug}`, { class: 'opens', dir: 'auto' }, channel.name)),
    element('p', { class: 'summary', dir: 'auto' }, channel.description),
    element(
      'p',
      { class: 'meta' },
      element('span', {}, `${compact.format(channel.subscribers)} subscribers`),
      element('span', { dir: 'auto' }, `run by ${channel.owner.name}`),
      link(`/?view=articles&channel=${slug}`, { class: 'channel' }, 'Essays'),
    ),
  )
}

/** A comment under a film. */
export function commentItem(comment) {
  return element(
    'li',
    { class: 'comment', 'data-id': comment.id },
    element('p', { class: 'meta' }, element('strong', { dir: 'auto' }, comment.author.name), moment(comment.createdAt)),
    comment.replyTo
      ? element('p', { class: 'answers' }, 'answers ', element('bdi', {}, comment.replyTo.author.name))
      : null,
    element('p', { dir: 'auto' }, comment.body),
  )
}
