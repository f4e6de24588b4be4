import { createHash } from 'node:crypto'
import type { ServiceOutputTypes } from '@aws-sdk/client-s3'
import { doneOnce } from '../../../core/done-once.ts'
import { PlimsollError } from '../../../core/errors.ts'
import { randomToken } from '../../../core/random-token.ts'
import { toBase64 } from '../../checksums.ts'
import type { Checksums } from '../../contract.ts'
import { Crc32c } from '../../crc32c.ts'
import { ownFolder } from '../../object-key.ts'
import type { CallOptions, Command, S3Client } from './s3-client.ts'
import { statusOf } from './s3-errors.ts'

/** How a request says which checksum its bytes have: the header, and its name in the SDK, which does not have one for that of the signature. */
export interface ChecksumHeader {
  readonly name: string
  readonly member: 'ChecksumSHA256' | 'ChecksumCRC32C' | undefined
  readonly value: string
}

/** What a multipart upload has to be created with, so that its object is checked by a CRC-32C of its own and keeps that. */
export const uploadWithCrc32c = { ChecksumAlgorithm: 'CRC32C', ChecksumType: 'FULL_OBJECT' } as const

/** Where a service looks for the SHA-256 of a request: in the header of that name, in that of the signature. */
interface Sha256Checks {
  readonly checksum: boolean
  readonly payload: boolean
}

/**
 * What a service does with checksums. Amazon's S3 checks and keeps them. What others do is found out, when it matters first, on an object of our own:
 * some keep them of puts, and of uploads keep sums of sums; some know the signature's SHA-256 alone (Ceph 16); some ignore all.
 */
export class S3Checksums {
  readonly #s3: S3Client
  /** Which writes the service keeps a CRC-32C of that it is told: of those that it does not, it is not to be told any. */
  readonly keepsCrc32c: () => Promise<'all' | 'puts' | 'none'> = doneOnce(() => this.#probeCrc32c())
  readonly #checksSha256 = doneOnce(() => this.#probeSha256())
  #tells = true

  constructor(s3: S3Client) {
    this.#s3 = s3
  }

  /**
   * The header that binds the bytes of a signed request to their checksum; undefined where they need none.
   *
   * @throws PLIMSOLL_FEATURE_UNSUPPORTED where the service would not check it
   */
  async headerOf({ sha256, crc32c }: Checksums): Promise<ChecksumHeader | undefined> {
    if (sha256 !== undefined && crc32c !== undefined)
      throw this.#unsupported('takes one checksum of a signed request', 'Give sha256 or crc32c, not both')
    if (crc32c !== undefined) {
      if ((await this.keepsCrc32c()) === 'none')
        throw this.#unsupported(
          'ignores CRC-32Cs: a signed address cannot bind the bytes to theirs there',
          'Leave crc32c out, and check what was stored',
        )
      return { name: 'x-amz-checksum-crc32c', member: 'ChecksumCRC32C', value: toBase64(crc32c) }
    }
    if (sha256 === undefined) return undefined
    const { checksum, payload } = await this.#checksSha256()
    if (checksum) return { name: 'x-amz-checksum-sha256', member: 'ChecksumSHA256', value: toBase64(sha256) }
    if (payload) return payloadHeader(sha256)
    throw this.#unsupported(
      'ignores checksums: a signed address cannot bind the bytes to their SHA-256 there',
      'Leave sha256 out, and check what was stored',
    )
  }

  /**
   * That of a signed request for a part. Amazon's service refuses parts with a SHA-256, unless all of an upload have one, of which it was told when
   * it was created; the signature's it is not known to compare in addresses.
   *
   * @throws PLIMSOLL_FEATURE_UNSUPPORTED where the service would not check it, or would refuse the part for it
   */
  async headerOfPart(sums: Checksums): Promise<ChecksumHeader | undefined> {
    const { sha256, crc32c } = sums
    if (sha256 === undefined || crc32c !== undefined) return this.headerOf(sums)
    if ((await this.#checksSha256()).payload) return payloadHeader(sha256)
    throw this.#unsupported(
      'takes no SHA-256 of a part',
      'Create the upload withCrc32c and give crc32c, or leave sha256 out and check the parts',
    )
  }

  /** The checksums that {@link S3Checksums.headerOf} has a header for. */
  async ofPuts(): Promise<readonly (keyof Checksums)[]> {
    const { checksum, payload } = await this.#checksSha256()
    return this.#withCrc32c(checksum || payload)
  }

  /** The checksums that {@link S3Checksums.headerOfPart} has a header for. */
  async ofParts(): Promise<readonly (keyof Checksums)[]> {
    return this.#withCrc32c((await this.#checksSha256()).payload)
  }

  async #withCrc32c(sha256: boolean): Promise<readonly (keyof Checksums)[]> {
    const crc32c = (await this.keepsCrc32c()) !== 'none'
    return [...(sha256 ? (['sha256'] as const) : []), ...(crc32c ? (['crc32c'] as const) : [])]
  }

  /**
   * Sends a command that reads, and asks for checksums too. Some services refuse to be asked, and Amazon's refuses who may not decrypt the object:
   * those are told the rest.
   */
  async ask<O extends ServiceOutputTypes>(make: () => Command<O>, call: CallOptions): Promise<O> {
    if (!this.#tells) return this.#s3.send(make(), call)
    try {
      const command = make()
      // As an option of the SDK's, it would sum all that is read.
      withHeader(command, 'x-amz-checksum-mode', 'ENABLED')
      return await this.#s3.send(command, call)
    } catch (error) {
      const status = statusOf((error as Error).cause) ?? 0
      if (![400, 403, 501].includes(status)) throw error
      const answer = await this.#s3.send(make(), call)
      this.#tells = status === 403
      return answer
    }
  }

  /** Stores bytes under the sum of others, and under their own: a service that refuses both does not know what it is. */
  async #probeCrc32c(): Promise<'all' | 'puts' | 'none'> {
    if (await this.#s3.isAmazon()) return 'all'
    const sumOf = (text: string): string => toBase64(new Crc32c().update(Buffer.from(text)).digest('hex'))
    return this.#probe(async (isStored) => {
      if (await isStored({ ChecksumCRC32C: sumOf('other') })) return 'none'
      return (await isStored({ ChecksumCRC32C: sumOf('probe') })) ? 'puts' : 'none'
    })
  }

  /** Stores bytes under the sum of others. */
  async #probeSha256(): Promise<Sha256Checks> {
    if (await this.#s3.isAmazon()) return { checksum: true, payload: false }
    const other = createHash('sha256').update('other').digest('hex')
    return this.#probe(async (isStored) => ({
      checksum: !(await isStored({ ChecksumSHA256: toBase64(other) })),
      payload: !(await isStored({}, other)),
    }))
  }

  async #probe<T>(work: (isStored: (sums: object, payload?: string) => Promise<boolean>) => Promise<T>): Promise<T> {
    const { sdk, bucket, prefix } = this.#s3
    const at = { Bucket: bucket, Key: `${prefix}${ownFolder}probe-${randomToken()}` }
    try {
      return await work(async (sums, payload) => {
        const put = new sdk.PutObjectCommand({ ...at, Body: 'probe', ...sums })
        if (payload !== undefined) withHeader(put, 'x-amz-content-sha256', payload)
        return this.#s3.send(put).then(
          () => true,
          (error: unknown) => {
            const { code, cause } = error as PlimsollError
            if (code === 'PLIMSOLL_FILE_CORRUPT' || statusOf(cause) === 400) return false
            throw error
          },
        )
      })
    } finally {
      await this.#s3.send(new sdk.DeleteObjectCommand(at)).catch(() => {})
    }
  }

  #unsupported(reason: string, fix: string): PlimsollError {
    const { name } = this.#s3
    return new PlimsollError('PLIMSOLL_FEATURE_UNSUPPORTED', `${name} ${reason}. ${fix}.`, {
      details: { storage: name, feature: 'signed checksums' },
    })
  }
}

/** The header of the signature, which the SDK knows nothing of. */
function payloadHeader(value: string): ChecksumHeader {
  return { name: 'x-amz-content-sha256', member: undefined, value }
}

/** Has a command sent with a header, which is signed. */
function withHeader(
  command: { readonly middlewareStack: { add(middleware: any, options: any): void } },
  name: string,
  value: string,
): void {
  command.middlewareStack.add(
    (next: (args: unknown) => unknown) => (args: { request: { headers: Record<string, string> } }) => {
      args.request.headers[name] = value
      return next(args)
    },
    { step: 'build', name: 'plimsollHeader' },
  )
}
