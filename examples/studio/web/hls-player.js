import Hls from './libraries/hls.js'

/** How far ahead is fetched, in seconds: the beginning before anybody presses play, and then no more than is soon seen. */
const ahead = { before: 4, after: 16 }

/** Plays `url` in `video` by HLS; see `openPlayer` for what it is told and gives. */
export function openHls(video, { url, cookies, at, told }) {
  const hls = new Hls({
    startPosition: at,
    // The smallest picture is there first; what the line can carry is known after it.
    startLevel: 0,
    capLevelToPlayerSize: true,
    // A segment is shown as it comes, not when it has come.
    progressive: true,
    startFragPrefetch: true,
    // Segments are CMAF: there is nothing to rewrite, so nobody needs a thread for it.
    enableWorker: false,
    maxBufferLength: ahead.before,
    maxMaxBufferLength: ahead.before,
    backBufferLength: 30,
    // Which of the two is asked depends on the browser.
    ...(cookies && {
      fetchSetup: ({ url }, init) => new Request(url, { ...init, credentials: 'include' }),
      xhrSetup: (request) => void (request.withCredentials = true),
    }),
  })
  const heightOf = (level) => hls.levels[level]?.height ?? 0

  hls.on(Hls.Events.MANIFEST_PARSED, () => told.heights(hls.levels.map(({ height }) => height)))
  hls.on(Hls.Events.LEVEL_SWITCHED, (_, { level }) => told.shows(heightOf(level)))
  hls.on(Hls.Events.FRAG_LOADED, (_, { frag, part }) => told.fetched((part ?? frag).stats.total))
  hls.on(Hls.Events.SUBTITLE_TRACKS_UPDATED, (_, { subtitleTracks }) =>
    told.captions(subtitleTracks.map(({ lang, name }) => ({ language: lang, label: name }))),
  )
  let mended = false
  hls.on(Hls.Events.ERROR, (_, { fatal, type, details }) => {
    if (!fatal) return
    // What a browser's decoder stumbled over may be passed once.
    if (type === Hls.ErrorTypes.MEDIA_ERROR && !mended) {
      mended = true
      hls.recoverMediaError()
    } else told.failed(`HLS: ${details}`)
  })
  const began = new AbortController()
  const begin = () => Object.assign(hls.config, { maxBufferLength: ahead.after, maxMaxBufferLength: ahead.after })
  video.addEventListener('play', begin, { signal: began.signal })
  hls.loadSource(url)
  hls.attachMedia(video)

  return {
    choose(height) {
      hls.nextLevel = height === 0 ? -1 : hls.levels.findIndex((level) => level.height === height)
    },
    caption(language) {
      hls.subtitleDisplay = language !== ''
      hls.subtitleTrack = hls.subtitleTracks.findIndex(({ lang }) => lang === language)
    },
    close() {
      began.abort()
      hls.destroy()
    },
  }
}
