import { get } from './api.js'
import { createCommentForm } from './comment-form.js'
import { cover } from './covers.js'
import { element } from './element.js'
import { createFeed } from './feed.js'
import { channelLink, commentItem, counted, duration, moment, number, tagLinks } from './render.js'

/**
 * The dialog at the side that shows one film with its comments, or one essay. `leave()` is called when the reader wants
 * it closed; whoever owns the address then calls `hide()`.
 */
export function createPanel(dialog, { leave, announce }) {
  let feed
  let running

  dialog.addEventListener('cancel', (event) => {
    event.preventDefault()
    leave()
  })
  // The dialog itself is only hit outside its content: on the backdrop.
  dialog.addEventListener('click', (event) => event.target === dialog && leave())

  function fill(...content) {
    const close = element('button', { type: 'button', class: 'close', 'aria-label': 'Close', onclick: leave }, '×')
    const sheet = element('div', { class: 'sheet', tabindex: '-1' }, ...content)
    const closeHadFocus = dialog.contains(document.activeElement)
    dialog.replaceChildren(close, sheet)
    if (closeHadFocus) close.focus()
    return sheet
  }

  async function show(kind, id) {
    stop()
    running = new AbortController()
    const { signal } = running
    fill(element('h2', { id: 'panel-title', class: 'loading' }, 'Loading…'))
    if (!dialog.open) dialog.showModal()
    try {
      const row = await get(`/api/${kind}/${encodeURIComponent(id)}`, { signal })
      if (kind === 'videos') showFilm(row)
      else showEssay(row)
    } catch (error) {
      if (signal.aborted) return
      const button = element('button', { type: 'button', class: 'retry', onclick: () => show(kind, id) }, 'Try again')
      fill(
        element('h2', { id: 'panel-title' }, error.refused ? 'Nothing here' : 'This did not load'),
        element(
          'div',
          { class: 'notice', role: 'alert' },
          element('p', {}, error.refused ? 'There is nothing at this address.' : error.message),
          error.refused ? null : button,
        ),
      )
    }
  }

  function showFilm(film) {
    const items = element('ol', { class: 'comments', 'aria-labelledby': 'comments-title' })
    const tail = element('div', { class: 'tail' })
    const title = element('h3', { id: 'comments-title' }, counted(film.commentCount, 'comment'))
    let comments = film.commentCount
    const form = createCommentForm({
      film,
      announce,
      posted() {
        title.textContent = counted(++comments, 'comment')
        feed?.close()
        items.replaceChildren()
        openFeed()
      },
    })
    const sheet = fill(
      element(
        'div',
        { class: 'picture' },
        cover(film.id, film.channel.id),
        element('span', { class: 'length' }, duration(film.durationSeconds)),
      ),
      element(
        'p',
        { class: 'meta' },
        channelLink('videos', film.channel),
        moment(film.publishedAt),
        element('span', {}, `${number(film.views)} views`),
      ),
      element('h2', { id: 'panel-title', dir: 'auto' }, film.title),
      element('p', { class: 'description', dir: 'auto' }, film.description),
      tagLinks('videos', film.tags),
      title,
      form,
      items,
      tail,
    )
    const openFeed = () => {
      feed = createFeed({
        items,
        tail,
        scroller: sheet,
        announce,
        unit: (count) => (count === 1 ? 'comment' : 'comments'),
        empty: 'Nobody has said anything yet.',
        lost: 'There are no comments at this address.',
        render: commentItem,
        load: (after, signal) =>
          get(`/api/videos/${film.id}/comments`, {
            query: { size: 20, fields: 'id,body,createdAt,author.name,replyTo.author.name', after },
            signal,
          }),
      })
      void feed.open()
    }
    openFeed()
  }

  function showEssay(essay) {
    fill(
      element(
        'p',
        { class: 'meta' },
        channelLink('articles', essay.channel),
        moment(essay.publishedAt),
        element('span', {}, `${essay.readingMinutes} min`),
      ),
      element('h2', { id: 'panel-title', dir: 'auto' }, essay.title),
      element('p', { class: 'byline', dir: 'auto' }, `by ${essay.author.name}`),
      element(
        'div',
        { class: 'prose' },
        essay.body.split('\n\n').map((text) => element('p', { dir: 'auto' }, text)),
      ),
      tagLinks('articles', essay.tags),
    )
  }

  function stop() {
    running?.abort()
    feed?.close()
    feed = undefined
  }

  return {
    show,
    hide() {
      stop()
      dialog.close()
    },
  }
}
