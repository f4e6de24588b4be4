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
  {
    kind: 'films-xlsx',
    title: 'Films as XLSX',
    text: 'Writes every film into a spreadsheet, row by row, and gives you a signed address of the file.',
    tell: report,
  },
  {
    kind: 'films-csv',
    title: 'Films as CSV',
    text: 'The same as plain text, for programs.',
    tell: report,
  },
  {
    kind: 'poster',
    title: 'Draw a poster',
    text: 'Draws a poster of a film that many have watched, and makes it in three sizes and formats.',
    tell({ variants }) {
      const place = ({ key }) => `/posters/${key.split('/').slice(2).join('/')}`
      const { card, fine, square } = variants
      return [
        element(
          'picture',
          {},
          element('source', { srcset: place(fine), type: fine.type }),
          element('img', { src: place(card), width: card.width, height: card.height, alt: 'The poster' }),
        ),
        element('img', {
          src: place(square),
          width: square.width,
          height: square.height,
          alt: 'The poster, cut to a square',
        }),
      ]
    },
  },
  {
    kind: 'digest',
    title: 'Mail the digest',
    text: 'Tells the readers what everybody watches. Without a mail server it is shown where the studio runs.',
    tell: ({ accepted }) => `On its way to ${accepted.join(', ')}.`,
  },
]

function report({ url, fileName, rows, size }) {
  const told = `${counted(rows, 'film')}, ${number(Math.ceil(size / 1024))} KB.`
  return url ? [element('a', { href: url, download: fileName }, fileName), `: ${told}`] : told
}

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

let last = Promise.resolve()

async function order(offer, button) {
  button.disabled = true
  page.problem.textContent = ''
  try {
    // One after the other: the first answer says who this browser is.
    const asked = last.catch(() => {}).then(() => post(`/api/jobs/${offer.kind}`, {}))
    last = asked
    const { id } = await asked
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
