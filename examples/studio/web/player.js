/** How a video can be played, and where the library for it is: it is fetched when it is chosen. */
const ways = {
  hls: { name: 'HLS', open: async () => (await import('./hls-player.js')).openHls },
  dash: { name: 'DASH', open: async () => (await import('./dash-player.js')).openDash },
}

/** The ways of playing, by name. */
export const playerNames = Object.fromEntries(Object.entries(ways).map(([way, { name }]) => [way, name]))

/**
 * Plays `addresses[way]` in `video` from the second `at` on; `addresses.cookies` says whether cookies open them, at an origin of their own. `told`
 * is called with what happens: `heights(list)` that can be chosen, `shows(height)`, `captions([{ language, label }])` that there are,
 * `fetched(bytes)` and `failed(text)`. Resolves to `{ choose(height), caption(language), close() }`; a height of 0 leaves the choice to the line,
 * and the language '' shows none.
 */
export async function openPlayer(video, { way, addresses, at, told }) {
  const open = await ways[way].open()
  const [began, firstFrame] = [performance.now(), new AbortController()]
  video.addEventListener('loadeddata', () => told.firstFrame(performance.now() - began), {
    once: true,
    signal: firstFrame.signal,
  })
  const player = open(video, { url: addresses[way], cookies: addresses.cookies, at, told })
  return {
    choose: (height) => player.choose(height),
    caption: (language) => player.caption(language),
    close() {
      firstFrame.abort()
      player.close()
      video.removeAttribute('src')
      video.load()
    },
  }
}
