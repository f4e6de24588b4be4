import { safeFileName } from './file-name.ts'

/**
 * Names for the files of an archive: every folder and name sanitised, and none of them there twice, also where case does not count. A
 * name that was taken gets a number, as browsers give it.
 *
 * @example zipNames(['a.txt', '../a.txt']) // → ['a.txt', 'a (2).txt']
 */
export function zipNames(names: readonly string[]): readonly string[] {
  const taken = new Set<string>()
  const next = new Map<string, number>()
  return names.map((name) => {
    const parts = name.split(/[/\\]/).filter((part) => !['', '.', '..'].includes(part.trim()))
    const path = parts.map((part) => safeFileName(part, 'file')).join('/') || 'file'
    const [, stem, extension] = /^(.*?[^/])(\.[^./]+)?$/.exec(path)!
    let free = path
    // Counted on from the last one: ten thousand files of one name are no reason to count ten thousand times.
    let number = next.get(path.toLowerCase()) ?? 2
    while (taken.has(free.toLowerCase())) free = `${stem} (${number++})${extension ?? ''}`
    next.set(path.toLowerCase(), number)
    taken.add(free.toLowerCase())
    return free
  })
}
