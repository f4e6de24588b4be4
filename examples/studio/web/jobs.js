import { post } from './api.js'
import { element } from './element.js'
import { createJobCard } from './job-card.js'
import { counted, number } from './render.js'

/** What can be asked for: where, and how its outcome is told. */
const offers = [
  {
    kind: 'recount-comments',
    title: 'Recount the comments',
    text: 'Goes through every film, counts what was said under it, and corrects the number that is shown.',
    tell: ({ films, corrected }) =>
      `${counted(films, 'film')} looked at, ${corrected === 0 ? 'none' : number(corrected)} corrected.`,
  },
]

const page = Object.fromEntries(
  ['orders', 'problem', 'jobs', 'empty', 'count', 'announcer'].map((id) => [id, document.getElementById(id)]),
)

/** The jobs of this browser, the newest first; the service keeps them for a while, and tells nobody else of them. */
const kept = {
  key: 'jobs',
  most: 20,
  read() {
    try {
      return JSON.parse(localStorage.getItem(this.key)) ?? []
    } catch {
      return []
    }
  },
  write(jobs) {
    localStorage.setItem(this.key, JSON.stringify(jobs.slice(0, this.most)))
  },
}

const announce = (text) => {
  page.announcer.textContent = text
}

function show({ id, kind }) {
  const offer = offers.find((one) => one.kind === kind)
  if (offer === undefined) return undefined
  const card = createJobCard({
    id,
    ...offer,
    announce,
    gone() {
      card.remove()
      kept.write(kept.read().filter((job) => job.id !== id))
      count()
    },
  })
  card.dataset.id = id
  return card
}

function count() {
  const { length } = page.jobs.children
  page.count.textContent = length === 0 ? '' : counted(length, 'job')
  page.empty.hidden = length > 0
}

async function order(offer, button) {
  button.disabled = true
  page.problem.textContent = ''
  try {
    const { id } = await post(`/api/jobs/${offer.kind}`, {})
    if (!kept.read().some((job) => job.id === id)) {
      kept.write([{ id, kind: offer.kind }, ...kept.read()])
      page.jobs.prepend(show({ id, kind: offer.kind }))
      count()
      announce(`${offer.title}: enqueued.`)
    } else announce(`${offer.title}: that is under way already.`)
  } catch (error) {
    page.problem.textContent = error.message
  } finally {
    button.disabled = false
    button.focus()
  }
}

for (const offer of offers) {
  const button = element('button', { type: 'button', onclick: () => void order(offer, button) }, offer.title)
  page.orders.append(element('li', {}, element('p', { class: 'summary' }, offer.text), button))
}
page.jobs.append(...kept.read().map(show).filter(Boolean))
count()
