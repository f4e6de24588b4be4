import { uploadFile } from './libraries/upload/index.js'
import { element } from './element.js'
import { size } from './size.js'

const words = {
  sending: 'Sending',
  slow: 'Nothing gets through; it is tried again and again',
  checking: 'All of it has left; the storage is asked whether it is whole',
  paused: 'Paused',
}
/** What the speed is measured over, in milliseconds. */
const windowMs = 4000
/** One that gets nowhere for so long has lost its line, or waits for a server. */
const silentMs = 3000

/** A file on its way. `stored(id)` is called when it has become a clip, `given()` when it was given up. */
export function createUploadCard(file, { announce, stored, given }) {
  const state = element('p', { class: 'state' })
  const gauge = element('progress', { max: String(file.size), value: '0', 'aria-label': `How far: ${file.name}` })
  const note = element('p', { class: 'meta' })
  const press = element('button', { type: 'button', onclick: toggle }, 'Pause')
  const cancel = element('button', { type: 'button', class: 'quiet', onclick: () => void giveUp() }, 'Cancel')
  const buttons = element('div', { class: 'actions' }, press, cancel)
  const card = element(
    'li',
    { class: 'job upload' },
    element('div', { class: 'job-head' }, element('h2', { dir: 'auto' }, file.name), buttons),
    state,
    gauge,
    note,
  )
  const seen = []
  let furthest = 0
  let upload
  let silence
  begin()
  return card

  function begin() {
    show('sending')
    upload = uploadFile('/api/clips/uploads', file, { onProgress: progress })
    void settle(upload)
  }

  async function settle(mine) {
    try {
      const { result } = await mine.done
      clearTimeout(silence)
      announce(`${file.name}: stored.`)
      await stored(result.clip)
    } catch (error) {
      clearTimeout(silence)
      if (error.name === 'AbortError') return
      // What has arrived is kept: another try goes on from there. What was refused is refused again.
      show('failed', error.message)
      if (error.status >= 400 && error.status < 500) press.hidden = true
    }
  }

  function show(next, text = words[next]) {
    const before = card.dataset.state
    card.dataset.state = next
    state.textContent = text
    press.textContent = { paused: 'Resume', failed: 'Try again' }[next] ?? 'Pause'
    press.hidden = next === 'checking'
    cancel.textContent = next === 'failed' ? 'Dismiss' : 'Cancel'
    clearTimeout(silence)
    if (next === 'sending') silence = setTimeout(() => show('slow'), silentMs)
    else seen.length = 0
    if (next !== before && next !== 'sending' && next !== 'checking') announce(`${file.name}: ${text}.`)
  }

  function progress({ sent, total }) {
    if (card.dataset.state === 'paused') return
    gauge.value = sent
    // What was sent in vain is sent again, which is no way forward.
    const forward = sent > furthest
    furthest = sent
    if (!forward) return
    show(sent === total ? 'checking' : 'sending')
    const time = performance.now()
    seen.push({ time, sent })
    while (seen.length > 2 && time - seen[0].time > windowMs) seen.shift()
    const [{ time: from, sent: before }] = seen
    const perSecond = time - from > 500 ? ((sent - before) / (time - from)) * 1000 : 0
    note.replaceChildren(
      element('span', {}, `${Math.floor((sent / total) * 100)} %`),
      element('span', {}, `${size(sent)} of ${size(total)}`),
      perSecond > 0 ? element('span', {}, `${size(perSecond)} a second`) : '',
    )
  }

  function toggle() {
    if (card.dataset.state === 'failed') begin()
    else if (card.dataset.state === 'paused') {
      show('sending')
      upload.resume()
    } else {
      upload.pause()
      show('paused')
    }
  }

  async function giveUp() {
    clearTimeout(silence)
    cancel.disabled = true
    await upload.abort()
    given()
  }
}
