import { Duplex } from 'node:stream'

/** The part of PGlite that the stream speaks to. */
export interface ProtocolEngine {
  execProtocolRaw(message: Uint8Array): Promise<Uint8Array>
}

const terminate = 0x58

/**
 * A socket as `pg` sees it, onto PGlite in the same process. PGlite knows no start-up and no authentication, so the
 * stream answers those itself; everything after goes through as bytes.
 */
export class PgliteStream extends Duplex {
  readonly #engine: ProtocolEngine
  readonly #version: string
  #started = false

  constructor(engine: ProtocolEngine, version: string) {
    super({ writableHighWaterMark: 1024 * 1024 })
    this.#engine = engine
    this.#version = version
  }

  connect(): this {
    process.nextTick(() => this.emit('connect'))
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (!this.#started) {
      this.#started = true
      this.push(startupAnswer(this.#version))
      return done()
    }
    if (chunk[0] === terminate) {
      this.push(null)
      return done()
    }
    this.#engine.execProtocolRaw(chunk).then((answer) => {
      // Copied out of the memory of the WebAssembly module, which the next statement overwrites.
      if (answer.length > 0) this.push(Buffer.from(answer))
      done()
    }, done)
  }

  override _writev(chunks: readonly { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this._write(Buffer.concat(chunks.map((part) => part.chunk)), 'utf8', done)
  }

  override _final(done: () => void): void {
    this.push(null)
    done()
  }
}

function startupAnswer(version: string): Buffer {
  return Buffer.concat([
    message('R', Buffer.alloc(4)),
    ...Object.entries({ server_version: version, client_encoding: 'UTF8', TimeZone: 'UTC' }).map(([name, value]) =>
      message('S', Buffer.from(`${name}\0${value}\0`)),
    ),
    message('Z', Buffer.from('I')),
  ])
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.write(type, 0, 'latin1')
  head.writeUInt32BE(4 + body.length, 1)
  return Buffer.concat([head, body])
}
