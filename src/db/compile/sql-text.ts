import type { WireValue } from '../../core/wire.ts'

/**
 * Where a parameter's value comes from when the statement runs: the queryset's values by slot, what the run adds (keys of
 * a prefetch, the keys of a cursor), or a value that never changes.
 */
export type ParameterSource =
  | { readonly from: 'values'; readonly slot: number }
  | { readonly from: 'added'; readonly index: number }
  | { readonly from: 'constant'; readonly value: WireValue }

/** SQL text under construction: hands out placeholders and aliases. */
export class SqlText {
  readonly sources: ParameterSource[] = []
  /** True when SQL of the caller's own is in it, which may call a function that writes. */
  hasRaw = false
  readonly #aliases = new Set<string>()

  /** The placeholder of a value of the queryset. */
  value(slot: number): string {
    return this.#placeholder({ from: 'values', slot }, (source) => source.from === 'values' && source.slot === slot)
  }

  /** The placeholder of what the run adds at `index`. */
  added(index: number): string {
    return this.#placeholder({ from: 'added', index }, (source) => source.from === 'added' && source.index === index)
  }

  /** The placeholder of a value that is part of the schema. */
  constant(value: WireValue): string {
    return this.#placeholder({ from: 'constant', value }, () => false)
  }

  /** A quoted alias like `wanted` that nothing else in the statement has. PostgreSQL cuts names at 63 bytes; so do we. */
  alias(wanted: string): string {
    const base = Buffer.from(wanted.replaceAll('\u0000', ''))
      .subarray(0, 56)
      .toString()
      .replace(/\uFFFD$/, '')
    let name = base
    for (let n = 2; this.#aliases.has(name); n++) name = `${base}_${n}`
    this.#aliases.add(name)
    return quote(name)
  }

  #placeholder(source: ParameterSource, same: (other: ParameterSource) => boolean): string {
    const known = this.sources.findIndex(same)
    return `$${known < 0 ? this.sources.push(source) : known + 1}`
  }
}

/** A quoted SQL identifier. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The wire values of a statement, in the order of its placeholders. */
export function bindParameters(
  sources: readonly ParameterSource[],
  values: readonly WireValue[],
  added: readonly WireValue[],
): WireValue[] {
  const bound: WireValue[] = new Array<WireValue>(sources.length)
  for (let i = 0; i < sources.length; i++) {
    const source = sources[i]!
    bound[i] =
      source.from === 'values' ? values[source.slot]! : source.from === 'added' ? added[source.index]! : source.value
  }
  return bound
}
