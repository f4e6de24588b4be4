import type { AnyFamily } from './exposition.ts'
import { Family, Value, type LabelValue } from './family.ts'
import { Histogram } from './histogram.ts'

/** Makes families, and keeps them in the order they are shown in. */
export interface Counters {
  /** `known`: sets of labels that are shown from the start, since a rate needs a number to begin from. */
  counter(name: string, help: string, labels?: readonly string[], known?: readonly LabelValue[][]): Family<Value>
  gauge(name: string, help: string, labels: readonly string[]): Family<Value>
  /** `bounds`: of its buckets, in seconds; by default those of requests. */
  histogram(name: string, help: string, labels?: readonly string[], bounds?: readonly number[]): Family<Histogram>
}

/** What adds the families that it makes to `families`. */
export function counting(families: AnyFamily[]): Counters {
  const keep = <F extends AnyFamily>(family: F): F => {
    families.push(family)
    return family
  }
  const make = (): Value => new Value()
  return {
    counter(name, help, labels, known = []) {
      const family = keep(new Family({ name, help, labels, type: 'counter', make }))
      for (const [first, second] of known) family.of(first!, second)
      return family
    },
    gauge: (name, help, labels) => keep(new Family({ name, help, labels, type: 'gauge', make })),
    histogram: (name, help, labels, bounds) =>
      keep(new Family({ name, help, labels, type: 'histogram', make: () => new Histogram(bounds) })),
  }
}
