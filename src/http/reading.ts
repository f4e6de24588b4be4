import type { FastifyReply, FastifyRequest } from 'fastify'
import type { PlimsollError } from '../core/errors.ts'
import type { AnyQuerySet } from '../db/dynamic.ts'
import type { PageMarks } from '../db/types/result.ts'

/** Where a page lies among the pages of its list. */
export type Marks = PageMarks<string | number>

/** What was read: the JSON, and of a list where the page lies. */
export interface ReadAnswer {
  readonly body: Buffer
  readonly marks?: Marks | undefined
}

/** What a request asks for, checked and narrowed to what it may see, before any of it is read. */
export interface Reading {
  readonly rows: AnyQuerySet
  /**
   * What makes the JSON besides the statements of `rows`: its fields, which page it is. The same statements and the same text,
   * the same bytes.
   */
  form(): string
  /** Checks what only reading would find out. @throws PLIMSOLL_CURSOR_INVALID */
  check(): void
  /** Reads it by way of `rows`, or of another queryset of the same rows; undefined when the row is missing. */
  load(rows: AnyQuerySet): Promise<ReadAnswer | undefined>
  /** The Link header of what was read, in the words of this request. */
  link(marks: Marks | undefined): string | undefined
  /** What to say when the row is missing. */
  missing(): PlimsollError
}

/** Finds out what a request asks for; throws what is wrong with it. */
export type Reader = (request: FastifyRequest) => Reading

/** A handler of Fastify. One that has answered already returns nothing: Fastify need not wait for it. */
export type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> | undefined
