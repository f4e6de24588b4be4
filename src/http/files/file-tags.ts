import { tableOfTag } from '../../schema/index.ts'

/** The tag of a file: what the headers for CDNs name it by, and what a purge of it names. */
export function fileTag(key: string): string {
  return `files:${key}`
}

/** The tags of the two folders that a file is nearest to, which name all files below them: a purge of one ends a whole video. */
export function folderTags(key: string): string[] {
  const parts = key.split('/')
  const folders = [parts.length - 2, parts.length - 1].filter((count) => count > 0)
  return folders.map((count) => fileTag(`${parts.slice(0, count).join('/')}/`))
}

/** All tags of what is made of a file: a purge of any of them ends it. */
export function fileTags(key: string): string[] {
  const tag = fileTag(key)
  return [tableOfTag(tag), ...folderTags(key), tag]
}
