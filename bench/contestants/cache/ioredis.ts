// What people write without a library: GET, load, SET, with autopipelining; a set of keys per tag, whose keys are deleted.
import { Redis } from 'ioredis'
import { ttlMs, type OpenCacheContestant } from './contestant.ts'

const mostPerCommand = 1000

export const openIoredis: OpenCacheContestant = async ({ urls, tagged, texts }) => {
  const redis = new Redis(urls.redis, { enableAutoPipelining: true })
  const encode = (value: unknown): string => (texts ? (value as string) : JSON.stringify(value))
  const decode = (text: string): unknown => (texts ? text : JSON.parse(text))
  const set = async (key: string, value: unknown, tag: string | undefined): Promise<void> => {
    const noted = tagged && tag !== undefined ? redis.sadd(`tag:${tag}`, key) : undefined
    await redis.set(key, encode(value), 'PX', ttlMs)
    await noted
  }
  const invalidate = async (tag: string): Promise<void> => {
    const keys = await redis.smembers(`tag:${tag}`)
    const ended = [redis.unlink(`tag:${tag}`)]
    for (let at = 0; at < keys.length; at += mostPerCommand) {
      ended.push(redis.unlink(...keys.slice(at, at + mostPerCommand)))
    }
    await Promise.all(ended)
  }
  return {
    async get(key, load, tag) {
      const text = await redis.get(key)
      if (text !== null) return decode(text)
      const value = await load()
      await set(key, value, tag)
      return value
    },
    async getMany(keys, load, tag) {
      const found = await redis.mget([...keys])
      const missing = keys.filter((_, at) => found[at] === null)
      const loaded = missing.length === 0 ? [] : await load(missing)
      await Promise.all(missing.map((key, at) => set(key, loaded[at], tag)))
      let next = 0
      return found.map((text) => (text === null ? loaded[next++] : decode(text)))
    },
    ...(tagged ? { invalidate } : {}),
    remove: (key) => redis.del(key),
    async close() {
      await redis.quit()
    },
  }
}
