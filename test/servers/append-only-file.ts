import { readdirSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Ends the append-only file of a Redis that is down before the last transaction in it that has written `value`: as a power cut does under
 * `appendfsync everysec`, which takes what was not on the disk yet, claims among it.
 */
export function cutBefore(folder: string, value: string): void {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const log = files.find((name) => /appendonly\.aof(\.\d+\.incr\.aof)?$/.test(name))
  if (log === undefined) throw new Error(`${folder} has no append-only file.`)
  const path = join(folder, log)
  const bytes = readFileSync(path)
  const at = bytes.lastIndexOf('*1\r\n$5\r\nMULTI\r\n', bytes.lastIndexOf(`\r\n$${value.length}\r\n${value}\r\n`))
  if (at < 0) throw new Error(`Nothing in ${path} has written ${value}.`)
  truncateSync(path, at)
}
