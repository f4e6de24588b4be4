import { element } from './element.js'

/** How far ahead of the end the next page is asked for. */
const ahead = '900px'

/**
 * A list that grows by a page whenever its end comes near. `tail` is the element below the list: it says what is going
 * on, and holds the button that loads more, or tries again, for those who do not scroll.
 *
 * - `load(after, signal)` answers `{ data, page }`; `render(row)` makes the `<li>`.
 * - `announce(text)` is called with what a screen reader should say.
 * - `empty` is said when there are no rows, `lost` when the service refuses the list itself, so that trying again is no use.
 * - `scroller` is the scrolling element; default the window.
 */
export function createFeed({ items, tail, load, render, announce, unit, empty, lost, placeholders = 0, scroller }) {
  let rows = []
  let next
  let total
  let running
  let closed = false
  let failed = false
  const observer = new IntersectionObserver(([entry]) => void (entry.isIntersecting && more()), {
    root: scroller,
    rootMargin: ahead,
  })

  async function more() {
    if (running || closed || next === null) return
    running = new AbortController()
    failed = false
    const { signal } = running
    const wasFocused = tail.contains(document.activeElement)
    observer.unobserve(tail)
    items.setAttribute('aria-busy', 'true')
    tail.replaceChildren(element('p', { class: 'loading' }, 'Loading…'))
    if (rows.length === 0)
      items.replaceChildren(...Array.from({ length: placeholders }, () => element('li', { class: 'placeholder' })))
    try {
      const answer = await load(next, signal)
      if (signal.aborted) return
      append(answer.data, answer.page)
      announce(
        rows.length === 0 ? empty : `${answer.data.length} more ${unit(answer.data.length)}, ${rows.length} shown.`,
      )
      if (wasFocused) items.children[rows.length - answer.data.length]?.querySelector('a, button')?.focus()
    } catch (error) {
      if (signal.aborted) return
      fail(error, wasFocused)
    }
  }

  function append(data, page) {
    if (rows.length === 0) items.replaceChildren()
    rows.push(...data)
    next = page.next
    total = page.total ?? total
    items.append(...data.map((row) => render(row)))
    settle()
    if (next === null)
      tail.replaceChildren(
        element('p', { class: 'end' }, rows.length === 0 ? empty : `All ${rows.length} ${unit(rows.length)}.`),
      )
    else {
      tail.replaceChildren(element('button', { type: 'button', class: 'more', onclick: more }, 'Show more'))
      // Observing anew reports at once when the end is still in sight.
      observer.observe(tail)
    }
  }

  function fail(error, focus) {
    settle()
    failed = true
    items.querySelectorAll('.placeholder').forEach((node) => node.remove())
    if (error.refused) {
      const text = rows.length === 0 ? lost : 'The rest cannot be loaded any more. Reload the page to begin again.'
      tail.replaceChildren(element('div', { class: 'notice', role: 'alert' }, element('p', {}, text)))
      return
    }
    const button = element('button', { type: 'button', class: 'retry', onclick: more }, 'Try again')
    const kept = rows.length === 0 ? '' : ' What is above stays where it is.'
    tail.replaceChildren(
      element('div', { class: 'notice', role: 'alert' }, element('p', {}, `${error.message}${kept}`), button),
    )
    if (focus) button.focus()
  }

  function settle() {
    running = undefined
    items.setAttribute('aria-busy', 'false')
  }

  // A lost connection that has come back: nobody should have to press the button.
  const online = () => tail.querySelector('.retry') && more()
  addEventListener('online', online)

  return {
    /** Loads pages until there are at least `count` rows, which is one page unless a position is restored. */
    async open(count = 1) {
      const wantsMore = () => rows.length < count && next && !closed && !failed
      do await more()
      while (wantsMore())
    },
    /** Shows what an earlier list had, without asking for it again. */
    restore(snapshot) {
      rows = []
      append(snapshot.rows, snapshot)
    },
    snapshot: () => ({ rows, next, total }),
    close() {
      closed = true
      running?.abort()
      settle()
      observer.disconnect()
      removeEventListener('online', online)
    },
  }
}
