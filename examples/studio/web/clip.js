import { ApiError, get, post } from './api.js'
import { element } from './element.js'
import { encodeAdvice } from './encode-advice.js'
import { createFilmstrip } from './filmstrip.js'
import { createJobCard } from './job-card.js'
import { openPlayer, playerNames } from './player.js'
import { counted, duration } from './render.js'
import { size } from './size.js'
import { fetchSprite } from './sprite.js'

const ids = [
  'heading',
  'count',
  'stage',
  'video',
  'strip',
  'ways',
  'quality',
  'spoken',
  'captions',
  'download',
  'shows',
  'first',
  'fetched',
  'jobs',
]
const page = Object.fromEntries([...ids, 'notice', 'announcer'].map((id) => [id, document.getElementById(id)]))
const parameters = new URLSearchParams(location.search)
const address = `/api/clips/${encodeURIComponent(parameters.get('id') ?? '')}`

const announce = (text) => {
  page.announcer.textContent = text
}

async function show() {
  let clip
  try {
    clip = await get(address)
  } catch (error) {
    page.heading.textContent = error.refused ? 'No such clip' : 'This did not load'
    notify(error.refused ? 'There is nothing at this address, or it is not yours to see.' : error.message)
    return
  }
  page.heading.textContent = clip.title
  document.title = `${clip.title} — Waterline`
  page.download.href = clip.file.url
  page.download.textContent = `Download the original (${size(clip.file.size)})`
  if (clip.video === null) follow(clip)
  else play(clip)
}

/** Shows how the encode goes until there is something to play. */
function follow(clip) {
  page.count.textContent = `${size(clip.file.size)}, not encoded yet`
  const again = element('button', { type: 'button', onclick: () => void encodeAgain() }, 'Encode it again')
  const card = createJobCard({
    id: clip.job,
    title: 'The encode',
    tell: () => {
      void show()
      return 'Here it comes.'
    },
    announce,
    gone: () => card.replaceWith(element('li', { class: 'job' }, 'Nothing is known of its encode any more.', again)),
    failed: (job) => card.append(encodeAdvice(job) ?? '', again),
  })
  page.jobs.replaceChildren(card)
}

async function encodeAgain() {
  try {
    await post(`${address}/encode`, {})
    await show()
  } catch (error) {
    notify(error instanceof ApiError ? error.message : String(error))
  }
}

function play({ video }) {
  const { renditions } = video
  const length = duration(Math.round(video.duration))
  page.count.textContent = `${length}, ${counted(renditions.length, 'quality', 'qualities')}`
  page.jobs.replaceChildren()
  const { width = 16, height = 9 } = renditions.at(-1) ?? {}
  page.video.style.aspectRatio = `${width} / ${height}`
  if (video.poster) page.video.poster = video.poster
  page.stage.hidden = false
  void showStrip(video)

  let player
  let opening = 0
  const way = parameters.get('by') === 'dash' ? 'dash' : 'hls'

  async function openBy(chosen, { at = 0, playing = false } = {}) {
    const turn = ++opening
    player?.close()
    player = undefined
    let fetched = 0
    let spoken = page.captions.value
    page.quality.replaceChildren(element('option', { value: '0' }, 'Automatic'))
    page.captions.replaceChildren(element('option', { value: '' }, 'Off'))
    page.spoken.hidden = true
    page.shows.textContent = 'none yet'
    page.first.textContent = '…'
    page.fetched.textContent = 'nothing yet'
    page.stage.dataset.way = chosen
    const told = {
      heights(list) {
        const heights = [...new Set(list)].sort((a, b) => b - a)
        page.quality.append(...heights.map((one) => element('option', { value: String(one) }, `${one}p`)))
        if (playing) void page.video.play().catch(() => {})
      },
      captions(list) {
        const option = ({ language, label }) => element('option', { value: language, lang: language }, label)
        page.captions.replaceChildren(element('option', { value: '' }, 'Off'), ...list.map(option))
        page.spoken.hidden = list.length === 0
        // What was read goes on in the other player.
        if (!list.some(({ language }) => language === spoken)) return
        page.captions.value = spoken
        player?.caption(spoken)
        spoken = ''
      },
      shows(shown) {
        page.shows.textContent = `${shown}p of ${renditions.map((one) => one.height).join(', ')}`
        page.stage.dataset.height = String(shown)
      },
      firstFrame(ms) {
        page.first.textContent = `${(ms / 1000).toFixed(2)} s`
        page.stage.dataset.firstFrame = String(Math.round(ms))
      },
      fetched(bytes) {
        fetched += bytes
        page.fetched.textContent = `${size(fetched)} of ${size(video.bytes)} in all qualities`
        page.stage.dataset.fetched = String(fetched)
      },
      failed: (text) => notify(`It cannot be played now. ${text}`),
    }
    const opened = await openPlayer(page.video, { way: chosen, addresses: video, at, told })
    // Another one may have been chosen meanwhile.
    if (turn !== opening) return opened.close()
    player = opened
    return undefined
  }

  page.ways.append(
    ...Object.entries(playerNames).map(([value, name]) =>
      element(
        'label',
        {},
        element('input', {
          type: 'radio',
          name: 'way',
          value,
          checked: value === way,
          onchange: () => void openBy(value, { at: page.video.currentTime, playing: !page.video.paused }),
        }),
        name,
      ),
    ),
  )
  page.quality.addEventListener('change', () => player?.choose(Number(page.quality.value)))
  page.captions.addEventListener('change', () => player?.caption(page.captions.value))
  void openBy(way)
}

async function showStrip({ sprite, cookies }) {
  if (sprite === null) return
  try {
    const pictures = await fetchSprite(sprite, { cookies })
    const seek = (seconds) => {
      // At the very end of what it has fetched, dash.js takes a place for fetched and waits for ever: pictures begin where segments end.
      page.video.currentTime = seconds + 0.01
      void page.video.play().catch(() => {})
    }
    page.strip.replaceChildren(createFilmstrip(pictures, { width: page.strip.clientWidth, seek }))
  } catch {
    // A clip is watched without them too.
  }
}

function notify(text) {
  page.notice.replaceChildren(element('div', { class: 'notice', role: 'alert' }, element('p', {}, text)))
}

void show()
