import { post } from './api.js'
import { element } from './element.js'

/** The form under a film in which a reader says something; calls `posted()` when that is there for everybody to see. */
export function createCommentForm({ film, announce, posted }) {
  const text = element('textarea', {
    id: 'comment-text',
    name: 'body',
    rows: '2',
    maxlength: '2000',
    required: true,
    dir: 'auto',
  })
  const button = element('button', { type: 'submit' }, 'Say it')
  const problem = element('p', { class: 'problem', role: 'alert' })

  async function submit(event) {
    event.preventDefault()
    if (text.value.trim() === '') return text.focus()
    button.disabled = true
    problem.textContent = ''
    try {
      await post(`/api/videos/${film.id}/comments`, { body: text.value })
      text.value = ''
      announce('Your comment is there.')
      posted()
    } catch (error) {
      problem.textContent = `${error.message} Your words are still here; try again.`
    } finally {
      button.disabled = false
    }
  }

  return element(
    'form',
    { class: 'say', onsubmit: submit },
    element('label', { for: 'comment-text' }, 'Say something'),
    text,
    button,
    problem,
  )
}
