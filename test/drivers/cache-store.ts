import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import type { CacheStore, LeaseAnswer, LeaseAsk, StoreObserver } from '../../src/cache/contract.ts'

/** What an engine may be unable to do; a case that needs it is skipped there, with the reason printed. */
export type StoreNeed = 'entries' | 'shared' | 'pushes'

/** An engine behind the contract; the stores that it opens are used by tests alone. */
export interface StoreEngine {
  readonly name: string
  /** Why it cannot do something. */
  readonly lacks: Readonly<Partial<Record<StoreNeed, string>>>
  /** For how long a store that is told of bumps trusts what it has heard, in milliseconds. Default 100. */
  readonly windowMs?: number
  /** Names that are longer are told as a loss of everything. Default: there are none. */
  readonly longestName?: number
  /** A store as another process would open it; it is closed by the test. */
  open(observer?: Partial<StoreObserver>): Promise<CacheStore>
}

/** One promise of the contract, run against every engine. */
export interface StoreCase {
  readonly name: string
  readonly needs?: readonly StoreNeed[]
  run(engine: StoreEngine): Promise<void>
}

/** An observer that does nothing but what `own` does. */
export function observerOf(own: Partial<StoreObserver> = {}): StoreObserver {
  return { bumped: () => {}, removed: () => {}, lost: () => {}, rejoin: async () => {}, ...own }
}

/** 16 characters that nobody else has: a generation or a token. */
export function random16(): string {
  return randomBytes(12).toString('base64url')
}

/** A key or a tag of a test's own. */
export function unique(name = 'name'): string {
  return `${name}-${random16()}`
}

/** Texts that some protocol, hash or encoding could stumble over; each is one of its own with the others. */
export const oddTexts: readonly string[] = [
  'with space',
  'with\nnewline\r\nand return',
  'with\0nul',
  '{braces}',
  '{braces}}',
  '{}',
  '}{',
  '#',
  '%u',
  '%uAAAA',
  'ünïcödé 日本語 🚢',
  'lone \uD83D surrogate',
  'lone \uD83E surrogate',
  'lone \uFFFD replacement',
  'x'.repeat(250),
  'x'.repeat(251),
  'long 🚢'.repeat(1000),
  'long 🚢'.repeat(1000) + '.',
]

/** An entry: its stamp, then a payload. */
export function entryOf(generation: string, token: string, payload: string | Buffer = 'payload'): Buffer {
  return Buffer.concat([Buffer.from(generation + token, 'latin1'), Buffer.from(payload)])
}

/** Asks for the lease of a key with a token of its own. */
export function ask(key: string, own: Partial<LeaseAsk> = {}): LeaseAsk {
  return { key, generation: 'generation-12345', token: random16(), leaseMs: 60_000, ...own }
}

/** The bytes under a key. */
export async function bytesOf(store: CacheStore, key: string): Promise<Buffer | undefined> {
  return (await store.read([key], [])).entries[0]?.bytes
}

/** The version of a tag, made if it has none. */
export async function versionOf(store: CacheStore, tag: string): Promise<string> {
  const [version] = (await store.read([], [tag])).versions
  const [made] = version === undefined ? await store.createVersions([tag]) : [version]
  expect(made).toEqual(expect.any(String))
  return made!
}

/** Takes the lease of a key and fills it; resolves with the bytes. */
export async function fillKey(store: CacheStore, key: string, own: Partial<LeaseAsk> = {}): Promise<Buffer> {
  const asked = ask(key, own)
  expect(await store.acquire(asked)).toEqual({ state: 'won' })
  const bytes = entryOf(asked.generation, asked.token)
  expect(await store.fill(key, { token: asked.token, bytes, ttlMs: 60_000 })).toBe(true)
  return bytes
}

/** The state of the answer to an ask. */
export async function stateOf(store: CacheStore, asked: LeaseAsk): Promise<LeaseAnswer['state']> {
  return (await store.acquire(asked)).state
}
