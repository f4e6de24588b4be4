import type {} from '../../../core/buffer-slices.ts'
import type { ItemKey } from './item-key.ts'

// Up to this size a value is joined with the commands around it; a larger one goes to the socket as it is.
const joinedBytes = 2048

/** Commands that are sent together and answered in their order. */
export class MetaBatch {
  /** How many answers they will have. */
  size = 0
  readonly #pieces: (string | Buffer)[] = []
  #text = ''

  /** Reads an item. `flags` such as `' v c'`: the value, its CAS. */
  get(key: ItemKey, flags: string): this {
    this.#text += `mg ${key.text}${key.flag}${flags}\r\n`
    this.size++
    return this
  }

  /** Stores an item. `flags` such as `' T60 ME'`: for 60 seconds, if there is none. */
  set(key: ItemKey, value: Buffer | string, flags: string): this {
    this.#text += `ms ${key.text} ${value.length}${key.flag}${flags}\r\n`
    if (typeof value === 'string') this.#text += value
    else if (value.length <= joinedBytes) this.#text += value.latin1Slice(0, value.length)
    else {
      this.#pieces.push(this.#text, value)
      this.#text = ''
    }
    this.#text += '\r\n'
    this.size++
    return this
  }

  /** Deletes an item. `flags` such as `' C31'`: if that is its CAS. */
  delete(key: ItemKey, flags = ''): this {
    this.#text += `md ${key.text}${key.flag}${flags}\r\n`
    this.size++
    return this
  }

  /** Asks for an answer and nothing else. */
  noop(): this {
    this.#text += 'mn\r\n'
    this.size++
    return this
  }

  /** Hands the commands on, in latin1; the last piece is text. */
  takePieces(): { readonly before: readonly (string | Buffer)[]; readonly text: string } {
    return { before: this.#pieces, text: this.#text }
  }
}
