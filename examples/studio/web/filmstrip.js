import { element } from './element.js'
import { duration } from './render.js'

/** A strip has at least so many pictures, if there are so many: where they do not fit, it is scrolled. */
const least = 4
/** Between pictures, in pixels. */
const gap = 10

/** Pictures from all along a video, as many as fit into `width`, each a button; `seek(seconds)` is called with where one was taken. */
export function createFilmstrip(pictures, { width, seek }) {
  // The last one may be of a moment that is over at once.
  const whole = pictures.filter(({ start, end }) => end - start > 0.5)
  const most = Math.max(least, Math.floor((width + gap) / ((whole[0]?.width ?? width) + gap)))
  const shown = whole.length <= most ? whole : pick(whole, most)
  return element(
    'ol',
    { class: 'filmstrip', 'aria-label': 'Places in the clip' },
    shown.map((picture) => element('li', {}, frameButton(picture, seek))),
  )
}

function frameButton(picture, seek) {
  const { start, image, x, y, width, height } = picture
  const frame = element('span', { class: 'frame', 'aria-hidden': 'true' })
  // Set from here: the page allows no style in its text.
  Object.assign(frame.style, {
    width: `${width}px`,
    height: `${height}px`,
    backgroundImage: `url("${image}")`,
    backgroundPosition: `-${x}px -${y}px`,
  })
  const time = duration(Math.floor(start))
  return element('button', { type: 'button', 'aria-label': `Go to ${time}`, onclick: () => seek(start) }, frame, time)
}

function pick(pictures, most) {
  const step = (pictures.length - 1) / (most - 1)
  return Array.from({ length: most }, (_, i) => pictures[Math.round(i * step)])
}
