/** What the value of a label is made of; it becomes text when the metrics are asked for. */
export type LabelValue = string | number | boolean

/** A number that is counted up, or set. */
export class Value {
  value = 0
}

/** The kinds of metrics that Prometheus tells apart and we have. */
export type MetricType = 'counter' | 'gauge' | 'histogram'

/** What a {@link Family} is made of. */
export interface FamilyOptions<T> {
  /** With its unit; a counter's ends with `_total`. */
  readonly name: string
  readonly help: string
  readonly type: MetricType
  /** The names of its labels; at most three. Default none. */
  readonly labels?: readonly string[] | undefined
  readonly make: () => T
  /** The most sets of labels; what comes later counts under `other`. Default 1000. */
  readonly limit?: number | undefined
}

/** One set of labels and what is counted under it. */
export interface Sample<T> {
  readonly labels: readonly LabelValue[]
  readonly point: T
}

/** The value of every label of what came after the last set of labels that there was room for. */
const other = 'other'

type Branch<T> = Map<LabelValue, Branch<T> | T>

/**
 * One metric with all its sets of labels. They are found label by label, so that counting makes no string; and there are at
 * most `limit` of them, so that whoever chooses labels, a client that chooses routes too, cannot fill the memory.
 */
export class Family<T> {
  readonly name: string
  readonly help: string
  readonly type: MetricType
  readonly labels: readonly string[]
  readonly #make: () => T
  readonly #limit: number
  readonly #samples: Sample<T>[] = []
  readonly #tree: Branch<T> = new Map()
  #other: T | undefined

  constructor(options: FamilyOptions<T>) {
    this.name = options.name
    this.help = options.help
    this.type = options.type
    this.labels = options.labels ?? []
    this.#make = options.make
    this.#limit = options.limit ?? 1000
    // What has no labels is there from the start: nothing yet is a number too.
    if (this.labels.length === 0) this.#add([])
  }

  /** Every set of labels so far. */
  get samples(): readonly Sample<T>[] {
    return this.#samples
  }

  /** What is counted without labels. */
  get only(): T {
    return this.#samples[0]!.point
  }

  /** What is counted under the values of the labels, in the order of their names. */
  of(first: LabelValue, second?: LabelValue, third?: LabelValue): T {
    const depth = this.labels.length
    let found = this.#tree.get(first)
    if (depth > 1 && found !== undefined) found = (found as Branch<T>).get(second!)
    if (depth > 2 && found !== undefined) found = (found as Branch<T>).get(third!)
    return (found as T | undefined) ?? this.#plant([first, second!, third!].slice(0, depth))
  }

  #plant(labels: readonly LabelValue[]): T {
    if (this.#samples.length >= this.#limit - 1 || labels.every((label) => label === other)) {
      return (this.#other ??= this.#add(labels.map(() => other)))
    }
    let branch = this.#tree
    for (const label of labels.slice(0, -1)) {
      let next = branch.get(label) as Branch<T> | undefined
      if (!next) branch.set(label, (next = new Map()))
      branch = next
    }
    const point = this.#add(labels)
    branch.set(labels.at(-1)!, point)
    return point
  }

  #add(labels: readonly LabelValue[]): T {
    const point = this.#make()
    this.#samples.push({ labels, point })
    return point
  }
}
