const names = ['view', 'q', 'tag', 'channel', 'order', 'video', 'article']

/** What the page shows, as its address says it; the defaults are left out of the address. */
export function readAddress(address) {
  const parameters = new URL(address, location.origin).searchParams
  const state = Object.fromEntries(names.map((name) => [name, parameters.get(name) ?? '']))
  return { ...state, view: ['articles', 'channels'].includes(state.view) ? state.view : 'videos' }
}

/** The address of a state. */
export function writeAddress(state) {
  const kept = names.filter((name) => state[name] && !(name === 'view' && state.view === 'videos'))
  const parameters = new URLSearchParams(kept.map((name) => [name, state[name]]))
  return parameters.size === 0 ? '/' : `/?${parameters}`
}

/** The same list with nothing opened beside it. */
export const withoutPanel = (state) => ({ ...state, video: '', article: '' })
