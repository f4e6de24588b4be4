import type { UploadRef } from '../contract.ts'
import { waitingFolder } from '../internal-folders.ts'

/** What the database knows of an upload. */
export interface UploadRow {
  readonly id: string
  /** Where it was begun: uploads of one place are not seen at another. */
  readonly route: string
  readonly owner: string | undefined
  readonly name: string
  /** As the client says. */
  readonly type: string
  readonly size: number
  readonly sha256: string | undefined
  readonly crc32c: string | undefined
  /** In one request, in parts in any order, appended in order, or appended to become a piece of another one. */
  readonly kind: UploadKind
  readonly partBytes: number
  /** The store's own id of an upload in parts, once it has one. */
  readonly storeId: string | undefined
  readonly state: UploadState
  /** How much was appended, in bytes. */
  readonly received: number
  /** What it became, when it is stored; why not, when it was refused; true while it is open, when its file was taken back before. */
  readonly outcome: unknown
  /** Epoch milliseconds. */
  readonly createdAt: number
  readonly expiresAt: number
}

export type UploadKind = 'single' | 'parts' | 'appended' | 'partial'
/** `whole`: all its bytes are there, of one that is a piece of another. `removing`: it was given up, and is being removed. */
export type UploadState = 'open' | 'whole' | 'stored' | 'refused' | 'removing'

const epoch = (column: string): string => `extract(epoch from ${column}) * 1000`

/** The columns that {@link toUploadRow} reads, in order. */
export const rowColumns = `id, route, owner, name, type, size, sha256, crc32c, kind, part_bytes, store_id, state, received, outcome,
  ${epoch('created_at')}, ${epoch('expires_at')}`

/** Reads the texts of {@link rowColumns}. */
export function toUploadRow(texts: readonly (string | null)[]): UploadRow {
  const [
    id,
    route,
    owner,
    name,
    type,
    size,
    sha256,
    crc32c,
    kind,
    partBytes,
    storeId,
    state,
    received,
    outcome,
    createdAt,
    expiresAt,
  ] = texts
  return {
    id: id!,
    route: route!,
    owner: owner ?? undefined,
    name: name!,
    type: type!,
    size: Number(size),
    sha256: sha256 ?? undefined,
    crc32c: crc32c ?? undefined,
    kind: kind as UploadKind,
    partBytes: Number(partBytes),
    storeId: storeId ?? undefined,
    state: state as UploadState,
    received: Number(received),
    outcome: outcome === null || outcome === undefined ? undefined : JSON.parse(outcome),
    createdAt: Number(createdAt),
    expiresAt: Number(expiresAt),
  }
}

/** Where the bytes of an upload wait until they are verified. */
export function waitingKey({ id }: Pick<UploadRow, 'id'>): string {
  return `${waitingFolder}${id}`
}

/** Where the end of what was appended waits until there is enough for a part. */
export function tailKey({ id }: Pick<UploadRow, 'id'>, number: number): string {
  return `${waitingFolder}${id}.tail-${number}`
}

/** The upload in parts at the store. */
export function storeRef(row: UploadRow): UploadRef | undefined {
  return row.storeId === undefined ? undefined : { key: waitingKey(row), id: row.storeId }
}
