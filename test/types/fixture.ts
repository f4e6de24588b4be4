import type { Db } from '../../src/db/types.ts'
import type { PrefetchFunction } from '../../src/db/types/prefetch.ts'
import type { relations } from './schema.ts'

/** These files are only compiled, never run. */
export declare const db: Db<typeof relations>
export declare const prefetch: PrefetchFunction

export interface Company {
  id: number
  name: string
  country: string | null
  token: string | null
}

export interface Author {
  id: number
  name: string
  role: 'reader' | 'writer' | 'editor'
  score: bigint | null
  companyId: number | null
}

export interface Post {
  id: number
  title: string
  body: string | null
  meta: { readingMinutes: number } | null
  keywords: string[]
  publishedAt: Date | null
  titleLength: number | null
  authorId: number
  editorId: number | null
}

export interface Comment {
  id: number
  body: string
  approved: boolean
  postId: number
  parentId: number | null
}

export interface Tag {
  slug: string
  label: string
}
