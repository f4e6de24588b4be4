import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What the page takes from packages, by the addresses that it is served at: nothing comes from elsewhere. */
export function browserLibraries(): ReadonlyMap<string, string> {
  const folderOf = (name: string): string => dirname(fileURLToPath(import.meta.resolve(name)))
  const upload = folderOf('plimsoll/upload')
  const modules = readdirSync(upload).filter((file) => file.endsWith('.js'))
  return new Map([
    ['/libraries/hls.js', join(folderOf('hls.js'), 'hls.min.mjs')],
    ['/libraries/dash.js', join(folderOf('dashjs'), 'dash.mediaplayer.min.js')],
    ...modules.map((file) => [`/libraries/upload/${file}`, join(upload, file)] as const),
  ])
}
