import { MediaPlayer } from './libraries/dash.js'

/** How far ahead is fetched, in seconds: the beginning before anybody presses play, and then no more than is soon seen. */
const ahead = { before: 4, after: 16 }
const buffer = (seconds) => ({
  bufferTimeDefault: seconds,
  bufferTimeAtTopQuality: seconds,
  bufferTimeAtTopQualityLongForm: seconds,
})

/** Plays `url` in `video` by DASH; see `openPlayer` for what it is told and gives. */
export function openDash(video, { url, cookies, at, told }) {
  const player = MediaPlayer().create()
  const { events } = MediaPlayer
  player.updateSettings({
    debug: { logLevel: 0 },
    streaming: {
      // The smallest picture is there first; what the line can carry is known after it.
      abr: { initialBitrate: { video: 1 } },
      buffer: buffer(ahead.before),
      text: { defaultEnabled: false },
      // A video that is whole needs nobody's clock.
      utcSynchronization: { enabled: false },
    },
  })
  if (cookies) player.setXHRWithCredentialsForType(null, true)
  const pictures = () => player.getRepresentationsByType('video')

  player.on(events.STREAM_INITIALIZED, () => told.heights(pictures().map(({ height }) => height)))
  let languages = []
  player.on(events.TEXT_TRACKS_ADDED, ({ tracks }) => {
    languages = tracks.map(({ lang }) => lang)
    told.captions(tracks.map(({ lang, labels }) => ({ language: lang, label: labels?.[0]?.text ?? lang })))
  })
  player.on(events.QUALITY_CHANGE_RENDERED, ({ mediaType, newRepresentation }) => {
    if (mediaType === 'video') told.shows(newRepresentation.height)
  })
  player.on(events.FRAGMENT_LOADING_COMPLETED, ({ response }) => told.fetched(response?.byteLength ?? 0))
  player.on(events.ERROR, ({ error }) => told.failed(`DASH: ${error?.message ?? error}`))
  const began = new AbortController()
  const begin = () => player.updateSettings({ streaming: { buffer: buffer(ahead.after) } })
  video.addEventListener('play', begin, { signal: began.signal })
  keepCaptions(player)
  player.initialize(video, url, false, at)

  return {
    choose(height) {
      player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: height === 0 } } } })
      const index = pictures().findIndex((picture) => picture.height === height)
      if (index >= 0) player.setRepresentationForTypeByIndex('video', index, true)
    },
    caption(language) {
      const index = languages.indexOf(language)
      player.enableText(index >= 0)
      player.setTextTrack(index)
    },
    close() {
      began.abort()
      player.destroy()
    },
  }
}

/**
 * Chooses captions anew, from the browser's cache, when they arrive after a seek that was made while they were fetched: the library drops them,
 * for it takes a whole file for buffered wherever one goes.
 */
function keepCaptions(player) {
  const { FRAGMENT_LOADING_STARTED, FRAGMENT_LOADING_COMPLETED, PLAYBACK_SEEKING } = MediaPlayer.events
  let fetched = { now: false, dropped: false }
  player.on(FRAGMENT_LOADING_STARTED, ({ mediaType }) => {
    if (mediaType === 'text') fetched = { now: true, dropped: false }
  })
  player.on(PLAYBACK_SEEKING, () => {
    fetched.dropped = fetched.now
  })
  player.on(FRAGMENT_LOADING_COMPLETED, ({ mediaType }) => {
    if (mediaType !== 'text') return
    const { dropped } = fetched
    fetched = { now: false, dropped: false }
    const chosen = player.getCurrentTextTrackIndex()
    if (!dropped || chosen < 0) return
    player.setTextTrack(-1)
    player.setTextTrack(chosen)
  })
}
