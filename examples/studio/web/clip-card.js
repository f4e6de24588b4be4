import { get, post, remove } from './api.js'
import { createCaptionForm } from './caption-form.js'
import { element } from './element.js'
import { encodeAdvice } from './encode-advice.js'
import { createJobCard } from './job-card.js'
import { counted, duration, moment } from './render.js'
import { size } from './size.js'

/** A clip in the list: its encode while that goes on, then what can be watched. `removed()` is called when it is gone. */
export function createClipCard(first, { announce, removed }) {
  const address = `/api/clips/${encodeURIComponent(first.id)}`
  const item = element('li', { 'data-id': first.id })
  show(first)
  return item

  function show(clip) {
    item.replaceChildren(...(clip.video === null ? [encodeCard(clip)] : watchCard(clip)))
    item.className = clip.video === null ? 'clip clip-encoding' : 'clip'
    item.dataset.encoding = String(clip.encoding)
  }

  function encodeCard(clip, { title = clip.title, lasts = false } = {}) {
    const actions = element('p', { class: 'actions', hidden: true }, lasts ? '' : removeButton(clip))
    const again = element('button', { type: 'button', onclick: () => void act(again, encodeAgain) }, 'Encode it again')
    const jobs = element('ol', { 'aria-label': `The encode of ${clip.title}` })
    const card = createJobCard({
      id: clip.job,
      title,
      tell() {
        void reload()
        return 'Here it comes.'
      },
      announce,
      gone() {
        card.replaceChildren('Nothing is known of its encode any more.')
        offer()
      },
      failed: (job) => offer(encodeAdvice(job)),
    })
    function offer(advice) {
      if (advice) actions.before(advice)
      actions.prepend(again)
      actions.hidden = false
    }
    jobs.append(card)
    card.append(actions)
    return jobs
  }

  async function encodeAgain() {
    await post(`${address}/encode`, {})
    await reload()
  }

  async function reload() {
    show(await get(address))
  }

  function watchCard(clip) {
    const { video, title, file, createdAt } = clip
    const picture = video.poster
      ? element('img', { src: video.poster, alt: '', loading: 'lazy', decoding: 'async' })
      : element('span', { class: 'no-picture' })
    const length = element('span', { class: 'length' }, duration(Math.round(video.duration)))
    const href = `/clip.html?id=${encodeURIComponent(clip.id)}`
    return [
      element('div', { class: 'picture' }, picture, length),
      element('h2', {}, element('a', { href, class: 'opens', dir: 'auto' }, title)),
      element(
        'p',
        { class: 'meta' },
        moment(createdAt),
        element('span', {}, size(file.size)),
        element('span', {}, counted(video.renditions.length, 'quality', 'qualities')),
      ),
      createCaptionForm(clip, { announce, changed: reload }),
      // It is watched as it was meanwhile.
      clip.encoding && encodeCard(clip, { title: 'Its captions are added', lasts: true }),
      element('p', { class: 'actions' }, removeButton(clip)),
    ].filter(Boolean)
  }

  function removeButton(clip) {
    const button = element(
      'button',
      { type: 'button', class: 'quiet', 'aria-label': `Remove ${clip.title}`, onclick: () => void act(button, give) },
      'Remove',
    )
    const give = async () => {
      await remove(address)
      announce(`${clip.title}: removed.`)
      removed()
    }
    return button
  }

  async function act(button, work) {
    button.disabled = true
    try {
      await work()
    } catch (error) {
      button.after(element('span', { class: 'problem', role: 'alert' }, error.message))
    } finally {
      button.disabled = false
    }
  }
}
