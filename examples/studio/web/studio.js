import { readAddress, withoutPanel, writeAddress } from './address.js'
import { containing, get, getAll } from './api.js'
import { element } from './element.js'
import { createFeed } from './feed.js'
import { createPanel } from './panel.js'
import { channelItem, counted, essayItem, filmItem, number } from './render.js'

const pageSize = 24
const typingPauseMs = 250
/** Browsers take a hundred changes of the history in half a minute, and no more. */
const keepEveryMs = 400
const inTime = [
  ['', 'Newest first'],
  ['publishedAt', 'Oldest first'],
]

const ofChannel = 'channel.id,channel.slug,channel.name'

/** The three lists: what is asked for and how they can be ordered; the first order is the default of the API. */
const views = {
  videos: {
    title: 'Films',
    one: 'film',
    fields: `id,title,durationSeconds,views,commentCount,publishedAt,${ofChannel}`,
    searched: 'title',
    orders: [...inTime, ['-views', 'Most seen'], ['title', 'Title, A to Z']],
    render: (row) => filmItem(row, writeAddress({ ...state, video: String(row.id) })),
  },
  articles: {
    title: 'Essays',
    one: 'essay',
    fields: `id,title,summary,readingMinutes,publishedAt,author.name,${ofChannel}`,
    searched: 'title',
    orders: [...inTime, ['title', 'Title, A to Z']],
    render: (row) => essayItem(row, writeAddress({ ...state, article: String(row.id) })),
  },
  channels: {
    title: 'Channels',
    one: 'channel',
    fields: 'id,slug,name,description,subscribers,owner.name',
    searched: 'name',
    orders: [
      ['', 'Most subscribers'],
      ['name', 'Name, A to Z'],
    ],
    render: channelItem,
  },
}

const page = Object.fromEntries(
  ['filters', 'heading', 'count', 'items', 'tail', 'depth', 'announcer', 'panel', 'list'].map((id) => [
    id,
    document.getElementById(id),
  ]),
)
const fields = page.filters.elements
const announce = (text) => {
  page.announcer.textContent = text
}
const panel = createPanel(page.panel, { leave: leavePanel, announce })

let state = withoutPanel(readAddress(location.href))
let feed
let shownList
let shownPanel
/** The list that is being brought back to where it was: until it is, its place is the one that the history has. */
let restoring
/** Lists that were left, by address, so that going back shows them as they were. */
const left = new Map()

/** Shows what the address says; `from` is what the history kept for it. */
function showAddress({ from, scroll = true } = {}) {
  state = readAddress(location.href)
  const listAddress = writeAddress(withoutPanel(state))
  if (listAddress !== shownList) showList(listAddress, { from, scroll })
  const opened = state.video ? ['videos', state.video] : state.article ? ['articles', state.article] : undefined
  if (opened?.join() === shownPanel) return
  shownPanel = opened?.join()
  if (opened) void panel.show(...opened)
  else panel.hide()
}

function showList(address, { from, scroll }) {
  keepList()
  shownList = address
  const view = views[state.view]
  fillForm(view)
  for (const tab of document.querySelectorAll('[data-view]')) {
    if (tab.dataset.view === state.view) tab.setAttribute('aria-current', 'page')
    else tab.removeAttribute('aria-current')
  }
  page.items.className = `items items-${state.view}`
  page.count.textContent = ''
  showHeading()
  const shown = { ...state }
  const list = createFeed({
    items: page.items,
    tail: page.tail,
    announce,
    placeholders: 8,
    unit: (count) => (count === 1 ? view.one : `${view.one}s`),
    empty: `No ${view.one} matches. Clear a filter to see more.`,
    lost: `There is no such list. Choose another order, or clear the filters, to see ${view.title.toLowerCase()}.`,
    render: view.render,
    load: async (after, signal) => {
      // The total is counted once: with the first page.
      const query = { ...queryOf(shown, view), after, total: after ? '' : 'exact' }
      const answer = await get(`/api/${shown.view}`, { query, signal })
      showCount(answer.page.total, view)
      return answer
    },
  })
  feed = list
  const kept = from && left.get(address)
  if (kept) {
    list.restore(kept)
    showCount(kept.total, view)
    scrollTo(0, kept.scroll)
  } else {
    if (scroll) scrollTo(0, Math.min(scrollY, page.filters.offsetTop))
    restoring = from?.scroll ? list : undefined
    void list.open(from?.count).then(() => {
      if (restoring !== list) return
      restoring = undefined
      scrollTo(0, from.scroll)
    })
  }
}

function queryOf({ q, tag, channel, order, view }, { searched, fields: wanted }) {
  const ofPosts = view !== 'channels'
  return {
    size: pageSize,
    fields: wanted,
    order,
    [`filter[${searched}][ilike]`]: containing(q),
    'filter[tags.slug]': ofPosts && tag,
    'filter[channel.slug]': ofPosts && channel,
  }
}

function keepList() {
  if (!feed) return
  left.delete(shownList)
  left.set(shownList, { ...feed.snapshot(), scroll: scrollY })
  if (left.size > 8) left.delete(left.keys().next().value)
  feed.close()
}

function showCount(total, view) {
  if (total !== undefined) page.count.textContent = counted(total, view.one)
}

function showHeading() {
  const label = (name) => [...fields[name].options].find((option) => option.value === state[name])?.text ?? state[name]
  const view = views[state.view]
  const ofPosts = state.view !== 'channels'
  const parts = [
    state.q && `“${state.q}”`,
    ofPosts && state.tag && label('tag'),
    ofPosts && state.channel && label('channel'),
  ].filter(Boolean)
  page.heading.replaceChildren(
    view.title,
    ...parts.flatMap((part) => [' ', element('span', { class: 'narrowed', dir: 'auto' }, part)]),
  )
  document.title = `${[...parts, view.title].join(' · ')} — Waterline`
}

function fillForm(view) {
  fields.order.replaceChildren(...view.orders.map(([value, text]) => element('option', { value }, text)))
  for (const label of page.filters.querySelectorAll('[data-only]'))
    label.hidden = !label.dataset.only.split(' ').includes(state.view)
  for (const name of ['q', 'tag', 'channel', 'order']) {
    // A value the list of choices does not know (yet) must not be lost: it stays in the address, and is shown as it is.
    if (fields[name].options && ![...fields[name].options].some((option) => option.value === state[name]))
      fields[name].append(element('option', { value: state[name] }, state[name]))
    if (document.activeElement !== fields[name] || fields[name].options) fields[name].value = state[name]
  }
}

async function fillChoices(name, path, order) {
  try {
    const rows = await getAll(path, { size: 100, order })
    const first = fields[name].options[0]
    fields[name].replaceChildren(
      first,
      ...rows.map((row) => element('option', { value: row.slug }, row.label ?? row.name)),
    )
    fillForm(views[state.view])
    showHeading()
  } catch {
    // The list itself says what is wrong; the choices come when somebody reaches for them again.
    fields[name].addEventListener('focus', () => void fillChoices(name, path, order), { once: true })
  }
}

function go(address, { replace = false, opened = false } = {}) {
  if (address === writeAddress(state)) return
  keepPosition()
  history[replace ? 'replaceState' : 'pushState']({ opened }, '', address)
  showAddress()
}

/** Notes in the history how far the list had come, for a reload and for coming back from elsewhere. */
function keepPosition() {
  if (feed && restoring !== feed)
    history.replaceState({ ...history.state, count: feed.snapshot().rows.length, scroll: scrollY }, '')
}

function leavePanel() {
  // What was opened from the list is closed by going back to it; what was opened by its address has no list behind it.
  if (history.state?.opened) history.back()
  else go(writeAddress(withoutPanel(state)), { replace: true })
}

function showDepth() {
  const { rows, total } = feed?.snapshot() ?? {}
  const box = page.items.getBoundingClientRect()
  const passed = Math.min(1, Math.max(0, (innerHeight - box.top) / box.height))
  page.depth.textContent = rows?.length && total ? `${number(Math.ceil(passed * rows.length))} / ${number(total)}` : ''
}

document.addEventListener('click', (event) => {
  const anchor = event.target.closest?.('a[data-go], a[data-view]')
  if (
    !anchor ||
    event.defaultPrevented ||
    event.button !== 0 ||
    event.ctrlKey ||
    event.metaKey ||
    event.shiftKey ||
    event.altKey
  )
    return
  event.preventDefault()
  const target = readAddress(anchor.href)
  go(writeAddress(target), { opened: Boolean(target.video || target.article) })
})

let typing
page.filters.addEventListener('input', (event) => {
  clearTimeout(typing)
  const isText = event.target === fields.q
  const change = () =>
    go(writeAddress({ ...withoutPanel(state), [event.target.name]: event.target.value.trim() }), { replace: isText })
  if (isText) typing = setTimeout(change, typingPauseMs)
  else change()
})
page.filters.addEventListener('submit', (event) => event.preventDefault())
page.filters.addEventListener('reset', (event) => {
  event.preventDefault()
  fields.q.value = ''
  go(writeAddress({ ...readAddress('/'), view: state.view }))
})

addEventListener('popstate', (event) => showAddress({ from: event.state ?? {} }))
// On the way to a reload it is too late for the history: what it has by then counts.
let keeping
function keepPositionSoon() {
  keeping ??= setTimeout(() => {
    keeping = undefined
    keepPosition()
  }, keepEveryMs)
}

addEventListener('pagehide', keepPosition)
addEventListener(
  'scroll',
  () => {
    requestAnimationFrame(showDepth)
    keepPositionSoon()
  },
  { passive: true },
)
history.scrollRestoration = 'manual'

showAddress({ from: history.state ?? undefined })
void fillChoices('tag', '/api/tags', 'label')
void fillChoices('channel', '/api/channels', 'name')
