/** What the coordinator asks a server's process. */
export type FilesRequest =
  | {
      readonly type: 'open'
      readonly server: FilesServerName
      /** Where its files are, or go. */
      readonly folder: string
      /** The store of Plimsoll's, where it is not that folder. */
      readonly storageUrl?: string | undefined
    }
  | { readonly type: 'cpu' }
  /** Its memory now, and the most since it was asked last, in bytes. */
  | { readonly type: 'memory' }
  | { readonly type: 'close' }

/** Servers in a process of Node's. */
export type FilesServerName = 'plimsoll' | 'fastify-static' | 'tus-server' | 'proxy'

/** What a process holds, in bytes. */
export interface Memory {
  readonly now: number
  readonly most: number
}

/** The file that is downloaded, and its key at Plimsoll's store. */
export const fileName = 'large.bin'
