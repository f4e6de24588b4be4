import { get, remove } from './api.js'
import { element } from './element.js'
import { counted, number } from './render.js'

/** A run that says how far it is does so twice a second: one that is silent for longer may have lost its worker. */
const silentMs = 4000

const words = {
  waiting: 'Waiting for a worker',
  delayed: 'Waiting to be tried again',
  active: 'Running',
  done: 'Done',
  failed: 'Failed',
  cancelled: 'Cancelled',
  parked: 'Parked: no worker knows it',
  quarantined: 'Given up: its workers died of it',
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })

/**
 * A job that is followed live until it has ended. `tell(output)` says what has come of it, in a text or elements, `announce(text)` what a
 * screen reader should say, `gone()` is called when the service knows nothing of it any more, and `failed(job)` when it has ended
 * otherwise than well.
 */
export function createJobCard({ id, title, tell, announce, gone, failed = () => {} }) {
  const address = `/api/jobs/${id}`
  const state = element('p', { class: 'state' }, 'Asking…')
  const gauge = element('progress', { 'aria-label': `How far: ${title}`, hidden: true })
  const note = element('p', { class: 'meta' })
  const story = element('p', { class: 'story' })
  const button = element('button', { type: 'button', class: 'quiet', onclick: () => void cancel() }, 'Cancel')
  const card = element(
    'li',
    { class: 'job' },
    element('div', { class: 'job-head' }, element('h2', {}, title), button),
    state,
    gauge,
    note,
    story,
  )
  let job
  let silence

  const source = new EventSource(`${address}/events`)
  for (const kind of ['state', 'progress', 'end']) {
    source.addEventListener(kind, ({ data }) => {
      const before = job
      job = JSON.parse(data)
      showJob()
      if (before?.state !== job.state) announce(`${title}: ${words[job.state]}.`)
      if (kind === 'end') void end()
    })
  }
  source.addEventListener('error', () => {
    // Otherwise it comes back by itself.
    if (source.readyState === EventSource.CLOSED) void look()
    else showSilence('The service does not answer. It is asked again and again.')
  })

  function showJob() {
    clearTimeout(silence)
    card.dataset.state = job.state
    delete card.dataset.silent
    state.textContent = words[job.state]
    const { progress } = job
    gauge.hidden = !progress && job.state !== 'active'
    if (progress?.total) {
      gauge.max = progress.total
      gauge.value = job.state === 'done' ? progress.total : progress.done
    } else gauge.removeAttribute('value')
    note.replaceChildren(
      element('span', {}, `since ${clock.format(new Date(job.createdAt))}`),
      progress?.total && job.state !== 'done' ? element('span', {}, shareOf(progress)) : '',
      progress?.note ? element('span', { dir: 'auto' }, progress.note) : '',
    )
    story.textContent = storyOf(job)
    button.hidden = job.ended
    if (job.state === 'active') {
      const text = 'Stalled: nothing is heard of its worker. If that is gone, another one takes over.'
      silence = setTimeout(() => showSilence(text), silentMs)
    }
  }

  function showSilence(text) {
    card.dataset.silent = ''
    state.textContent = text
    announce(`${title}: ${text}`)
  }

  async function end() {
    source.close()
    clearTimeout(silence)
    if (job?.state !== 'done') {
      failed(job)
      return
    }
    try {
      story.replaceChildren(...[tell(await get(job.result))].flat(), ` ${storyOf(job)}`)
    } catch {
      story.textContent = 'What came of it cannot be read now.'
    }
  }

  /** The stream was refused: it may be forgotten, or too many are followed at a time. */
  async function look() {
    try {
      job = await get(address)
      showJob()
      if (job.ended) await end()
    } catch (error) {
      if (error.refused) gone()
      else showSilence(error.message)
    }
  }

  async function cancel() {
    button.disabled = true
    try {
      await remove(address)
    } catch (error) {
      story.textContent = error.message
    } finally {
      button.disabled = false
    }
  }

  return card
}

/** A total of 100 is a share; others are counted. */
function shareOf({ done, total }) {
  return total === 100 ? `${Math.floor(done)} %` : `${number(done)} of ${number(total)}`
}

/** What has befallen it. */
function storyOf({ deaths, error, attempts }) {
  return [
    deaths > 0 ? `Begun again: its worker has died ${deaths === 1 ? 'once' : counted(deaths, 'time')}.` : '',
    error ? `${error.message}${attempts > 1 ? ` (attempt ${attempts})` : ''}` : '',
  ]
    .filter(Boolean)
    .join(' ')
}
