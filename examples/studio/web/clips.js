import { get } from './api.js'
import { createClipCard } from './clip-card.js'
import { counted } from './render.js'
import { createUploadCard } from './upload-card.js'

const ids = ['bring', 'quay', 'file', 'problem', 'uploads', 'clips', 'empty', 'count', 'announcer']
const page = Object.fromEntries(ids.map((id) => [id, document.getElementById(id)]))

const announce = (text) => {
  page.announcer.textContent = text
}

function count() {
  const { length } = page.clips.children
  page.count.textContent = length === 0 ? '' : counted(length, 'clip')
  page.empty.hidden = length + page.uploads.children.length > 0
}

function cardOf(clip) {
  const card = createClipCard(clip, {
    announce,
    removed() {
      card.remove()
      count()
    },
  })
  return card
}

async function bring(list) {
  page.problem.textContent = ''
  const files = [...list]
  // Nobody uploads without a name, which comes with the list.
  await listed
  for (const file of files) {
    const card = createUploadCard(file, {
      announce,
      async stored(id) {
        try {
          page.clips.prepend(cardOf(await get(`/api/clips/${encodeURIComponent(id)}`)))
        } catch (error) {
          page.problem.textContent = error.message
        }
        card.remove()
        count()
      },
      given() {
        card.remove()
        count()
      },
    })
    page.uploads.prepend(card)
  }
  count()
}

/** Who has no name here yet is given one. */
async function list() {
  try {
    const { data } = await get('/api/clips')
    page.clips.append(...data.map(cardOf))
  } catch (error) {
    page.problem.textContent = error.message
  }
  count()
}
const listed = list()

page.file.addEventListener('change', () => {
  void bring(page.file.files)
  // The same file may be chosen again.
  page.file.value = ''
})
page.bring.addEventListener('submit', (event) => event.preventDefault())

for (const kind of ['dragenter', 'dragover']) {
  page.quay.addEventListener(kind, (event) => {
    event.preventDefault()
    page.quay.dataset.over = ''
  })
}
for (const kind of ['dragleave', 'drop']) page.quay.addEventListener(kind, () => delete page.quay.dataset.over)
page.quay.addEventListener('drop', (event) => {
  event.preventDefault()
  void bring(event.dataTransfer.files)
})
// What is dropped beside it is not to be opened instead of this page.
for (const kind of ['dragover', 'drop']) addEventListener(kind, (event) => event.preventDefault())
