import { promisify } from 'node:util'
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib'

/** A content coding that answers are kept in. */
export type Encoding = 'br' | 'zstd' | 'gzip'

/** Smaller bodies fit a packet or two as they are, and compression would save nothing. */
export const minCompressedLength = 1024

const brotli = promisify(brotliCompress)
const zstd = promisify(zstdCompress)
const deflate = promisify(gzip)

/** Compresses a body, on a thread of its own. */
export function compress(body: Buffer, encoding: Encoding): Promise<Buffer> {
  switch (encoding) {
    case 'br':
      return brotli(body, {
        params: {
          // Above 5 it takes several times as long for a few percent, and a write may end the answer at any time.
          [constants.BROTLI_PARAM_QUALITY]: 5,
          [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
          [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
        },
      })
    case 'zstd':
      return zstd(body)
    case 'gzip':
      return deflate(body)
  }
}
