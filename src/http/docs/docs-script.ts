/**
 * The script of the API's page. It reads the description, lists its operations, and sends the requests that its forms make up.
 * All text goes in as text nodes. Plain JavaScript, since it is served as it is written here.
 */
export const docsScript: string = String.raw`
'use strict'
const root = document.documentElement
const main = document.getElementById('main')

function element(tag, attributes, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? '' : value)
  }
  made.append(...children.filter((child) => child !== undefined))
  return made
}

/** A text in which backticks stand around code. */
function prose(text) {
  return text.split('\`').map((part, at) => (at % 2 === 0 ? part : element('code', {}, part)))
}

/** A path that breaks, where it has to, at its slashes. */
function pathOf(path) {
  return path.split('/').flatMap((word, at) => (at === 0 ? [word] : ['/', element('wbr'), word]))
}

start().catch((error) => {
  main.removeAttribute('aria-busy')
  main.replaceChildren(element('p', { class: 'failed', role: 'alert' }, 'The description cannot be shown: ' + error.message))
})

async function start() {
  const response = await fetch(root.dataset.openapi)
  if (!response.ok) throw new Error('it answered ' + response.status)
  const api = await response.json()
  document.title = api.info.title
  document.getElementById('title').textContent = api.info.title + ' ' + api.info.version
  document.getElementById('about').append(...prose(api.info.description ?? ''))
  const groups = new Map()
  for (const [path, item] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const tag = operation.tags?.[0] ?? 'others'
      if (!groups.has(tag)) groups.set(tag, [])
      groups.get(tag).push({ path, method, operation })
    }
  }
  main.removeAttribute('aria-busy')
  main.replaceChildren(...[...groups].map(([tag, operations]) => section(api, tag, operations)))
  if (groups.size === 0) main.append(element('p', {}, 'There are no resources yet.'))
  const links = [...groups.keys()].map((tag) => element('li', {}, element('a', { href: '#' + anchor(tag) }, tag)))
  document.getElementById('contents').replaceChildren(element('ul', {}, ...links))
  // The browser looked for it before it was there.
  document.getElementById(location.hash.slice(1))?.scrollIntoView({ behavior: 'instant' })
}

/** Where the paths of the description begin; the description may lie behind a prefix that it does not know. */
function rootOf(api) {
  const server = new URL(api.servers?.[0]?.url ?? '/', new URL(root.dataset.openapi, location.href))
  return server.pathname.replace(/[/]$/, '')
}

function anchor(tag) {
  return 'tag-' + tag.replace(/[^A-Za-z0-9]+/g, '-')
}

function section(api, tag, operations) {
  const described = api.tags?.find(({ name }) => name === tag)?.description
  return element(
    'section',
    { 'aria-labelledby': anchor(tag) },
    element('h2', { id: anchor(tag) }, tag),
    described ? element('p', {}, ...prose(described)) : undefined,
    ...operations.map((entry) => operationPanel(api, entry)),
  )
}

function operationPanel(api, { path, method, operation }) {
  const panel = element(
    'details',
    { class: 'operation' },
    element(
      'summary',
      {},
      element('span', { class: 'method' }, method.toUpperCase()),
      element('code', {}, ...pathOf(path)),
      element('span', { class: 'what' }, operation.summary ?? ''),
    ),
  )
  // Filled when it is opened: a long description has thousands of inputs.
  panel.addEventListener('toggle', () => panel.append(...tryForm(api, { path, method, operation })), { once: true })
  return panel
}

function resolve(api, value) {
  if (!value?.$ref) return value
  return value.$ref.slice(2).split('/').reduce((at, key) => at?.[key], api)
}

function tryForm(api, { path, method, operation }) {
  const result = element('div', { class: 'result', tabindex: '-1', role: 'group', 'aria-label': 'Answer' })
  const inputs = []
  const filters = new Map()
  const form = element('form', {})
  for (const given of operation.parameters ?? []) {
    const parameter = resolve(api, given)
    const field = parameterField(operation, parameter)
    inputs.push({ parameter, input: field.input })
    const filtered = /^filter\[([^\]]+)\]/.exec(parameter.name)?.[1]
    if (filtered === undefined) form.append(field.row)
    else {
      if (!filters.has(filtered)) {
        const group = element('details', { class: 'group' }, element('summary', {}, 'filter by ', element('code', {}, filtered)))
        filters.set(filtered, group)
        form.append(group)
      }
      filters.get(filtered).append(field.row)
    }
  }
  const send = element('button', { class: 'send', type: 'submit' }, 'Send')
  const clear = element('button', { type: 'reset' }, 'Clear')
  form.append(send, clear)
  form.addEventListener('submit', (event) => {
    event.preventDefault()
    void request(result, method, { url: rootOf(api) + address(path, inputs) })
  })
  form.addEventListener('reset', () => result.replaceChildren())
  return [form, result]
}

function parameterField(operation, parameter) {
  const id = operation.operationId + '-' + parameter.name
  const { schema } = parameter
  const input = schema.enum || schema.type === 'boolean' ? choice(schema) : element('input', { autocomplete: 'off', spellcheck: 'false' })
  input.id = id
  if (input.tagName === 'INPUT' && parameter.example !== undefined) {
    input.placeholder = [parameter.example].flat().join(',')
    // A path cannot be tried without a value, so it begins with one.
    if (parameter.in === 'path') input.setAttribute('value', input.placeholder)
  }
  input.required = parameter.required === true
  const values = schema.items?.enum
  const note = (parameter.description ?? '') + (values ? ' One or more of ' + values.join(', ') + '.' : '')
  if (note) input.setAttribute('aria-describedby', id + '-note')
  const row = element(
    'div',
    { class: 'parameter' },
    element('label', { for: id }, parameter.name),
    input,
    note ? element('small', { id: id + '-note' }, ...prose(note)) : undefined,
  )
  return { row, input }
}

function choice(schema) {
  const values = schema.enum ?? [true, false]
  return element('select', {}, ...['', ...values].map((value) => element('option', { value: String(value) }, String(value))))
}

function address(path, inputs) {
  let filled = path
  const query = []
  for (const { parameter, input } of inputs) {
    if (input.value === '') continue
    const value = encodeURIComponent(input.value)
    if (parameter.in === 'path') filled = filled.replace('{' + parameter.name + '}', () => value)
    // Brackets and commas stay readable; servers take them as they are.
    else query.push(parameter.name + '=' + value.replaceAll('%2C', ','))
  }
  return filled + (query.length > 0 ? '?' + query.join('&') : '')
}

/** Sends a request and shows its answer. 'pressed' names the button of an earlier answer that asked for it. */
async function request(result, method, { url, pressed }) {
  const state = element('p', { role: 'status' }, 'Asking…')
  // The button goes, and its focus would go to the top of the page; without the height the page would jump.
  if (pressed) result.focus({ preventScroll: true })
  result.style.minHeight = result.offsetHeight + 'px'
  result.replaceChildren(state)
  const started = performance.now()
  try {
    const response = await fetch(url, { method: method.toUpperCase(), headers: { accept: 'application/json' } })
    const text = await response.text()
    const took = Math.round(performance.now() - started)
    state.textContent = response.status + ' ' + response.statusText + ' in ' + took + ' ms, ' + text.length + ' characters'
    if (!response.ok) state.classList.add('failed')
    const buttons = pageButtons(result, method, { url, text })
    result.append(
      element('p', {}, element('a', { href: url }, url)),
      element('pre', { tabindex: '0', 'aria-label': 'Headers' }, [...response.headers].map((pair) => pair.join(': ')).join('\n')),
      element('pre', { tabindex: '0', 'aria-label': 'Body' }, pretty(text)),
      ...buttons,
    )
    // The last page has no next one: then the way back. Who has gone elsewhere in the meantime stays there.
    const successor = buttons.find((button) => button.textContent === pressed) ?? buttons[0]
    if (pressed && document.activeElement === result) successor?.focus()
  } catch (error) {
    state.replaceWith(element('p', { class: 'failed', role: 'alert' }, 'No answer: ' + error.message))
  }
  result.style.minHeight = ''
}

/** The buttons that lead to the neighbours of a page. */
function pageButtons(result, method, { url, text }) {
  const page = parsed(text)?.page
  return [['Previous page', 'before', page?.previous], ['Next page', 'after', page?.next]]
    .filter(([, , mark]) => mark !== null && mark !== undefined)
    .map(([label, name, mark]) => {
      const target = new URL(url, location.href)
      for (const moved of ['after', 'before', 'page']) target.searchParams.delete(moved)
      target.searchParams.set(typeof mark === 'number' ? 'page' : name, String(mark))
      const button = element('button', { type: 'button' }, label)
      button.addEventListener('click', () => void request(result, method, { url: target.pathname + target.search, pressed: label }))
      return button
    })
}

function parsed(text) {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function pretty(text) {
  const value = parsed(text)
  return value === undefined ? text : JSON.stringify(value, null, 2)
}
`
