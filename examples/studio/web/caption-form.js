import { put, remove } from './api.js'
import { element } from './element.js'

/** The languages that are offered; the service takes any other. */
const languages = ['ar', 'da', 'de', 'en', 'es', 'fi', 'fr', 'hi', 'it', 'ja', 'nb', 'nl', 'pl', 'pt', 'sv', 'uk', 'zh']
/** Behind a name, as in `ferry.sv.vtt`. */
const ending = /\.([a-z]{2,3})\.vtt$/i
const nameOf = (language) => new Intl.DisplayNames([language], { type: 'language' }).of(language)

/** The captions of a clip, and a way to add some. `changed()` is called when they have changed, and the clip is encoded anew. */
export function createCaptionForm({ id, title, captions }, { announce, changed }) {
  const address = (language) => `/api/clips/${encodeURIComponent(id)}/captions/${language}`
  const preferred = languages.find((one) => navigator.language.startsWith(one)) ?? 'en'
  const select = element(
    'select',
    { name: 'language' },
    languages.map((one) => element('option', { value: one, lang: one, selected: one === preferred }, nameOf(one))),
  )
  const file = element('input', { type: 'file', accept: '.vtt,text/vtt', onchange: () => void add(file.files[0]) })
  const problem = element('p', { class: 'problem', role: 'alert' })
  return element(
    'details',
    { class: 'captions' },
    element('summary', {}, `Captions: ${captions.map(({ label }) => label).join(', ') || 'none'}`),
    captions.length > 0 &&
      element('ul', { class: 'languages', 'aria-label': `Captions of ${title}` }, captions.map(line)),
    element('label', { class: 'field' }, element('span', {}, 'Language'), select),
    element('label', { class: 'field' }, element('span', {}, 'WebVTT file'), file),
    problem,
  )

  function line({ language, label }) {
    const take = () => void change(async () => remove(address(language)), `${label}: removed.`)
    const button = element('button', { type: 'button', class: 'quiet', onclick: take }, 'Remove')
    button.setAttribute('aria-label', `Remove the captions in ${label}`)
    return element('li', {}, element('span', { lang: language }, label), button)
  }

  async function add(chosen) {
    if (chosen === undefined) return
    const [, named] = ending.exec(chosen.name) ?? []
    const language = languages.find((one) => one === named?.toLowerCase()) ?? select.value
    await change(() => put(address(language), chosen, 'text/vtt'), `Captions in ${nameOf(language)}: added.`)
    // The same file may be chosen again, once it is mended.
    file.value = ''
  }

  async function change(work, done) {
    problem.textContent = ''
    select.disabled = file.disabled = true
    try {
      await work()
      announce(`${title}: ${done}`)
      await changed()
    } catch (error) {
      problem.textContent = error.message
    } finally {
      select.disabled = file.disabled = false
    }
  }
}
