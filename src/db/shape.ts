import type { ModelGraph } from '../schema/model.ts'
import { allRows, type QuerySpec } from './spec.ts'

/**
 * One node of the tree of querysets that were built so far: the spec at this point, the steps taken from here, and what
 * was compiled for it. Building the same chain of calls again walks the tree instead of planning again, which is what
 * makes a repeated query cost a few map look-ups.
 */
export class Shape {
  readonly spec: QuerySpec
  readonly tree: ShapeTree
  /** A number that no other shape of the tree has; it stands for the whole shape inside the keys of prefetches. */
  readonly id: number
  readonly #steps = new Map<string, Shape>()
  readonly #compiled = new Map<string, unknown>()

  constructor(spec: QuerySpec, tree: ShapeTree) {
    this.spec = spec
    this.tree = tree
    this.id = tree.count()
  }

  /** The shape after one more step; `next` makes its spec the first time. `key` must say all of the step but its values. */
  step(key: string, next: (spec: QuerySpec) => QuerySpec): Shape {
    let shape = this.#steps.get(key)
    if (shape === undefined) {
      shape = new Shape(next(this.spec), this.tree)
      this.#steps.set(key, shape)
    }
    return shape
  }

  /** What was compiled under `key`, made by `compile` the first time. */
  compiled<T>(key: string, compile: (spec: QuerySpec) => T): T {
    let value = this.#compiled.get(key) as T | undefined
    if (value === undefined) {
      value = compile(this.spec)
      this.#compiled.set(key, value)
      this.tree.count()
    }
    return value
  }

  /** Forgets every step and everything compiled; querysets that hold a forgotten shape keep working. */
  forget(): void {
    this.#steps.clear()
    this.#compiled.clear()
  }
}

/** All shapes of one application, bounded: past `limit` shapes and plans the tree starts over. */
export class ShapeTree {
  readonly graph: ModelGraph
  readonly #roots = new Map<string, Shape>()
  readonly #limit: number
  #made = 0
  #sinceForgotten = 0

  constructor(graph: ModelGraph, limit: number) {
    this.graph = graph
    this.#limit = limit
  }

  /** The shape of all rows of a model, from which its querysets start. */
  rootOf(model: string): Shape {
    let root = this.#roots.get(model)
    if (root === undefined) {
      root = new Shape(allRows(this.graph.models.get(model)!), this)
      this.#roots.set(model, root)
    }
    return root
  }

  /** Counts one more shape or plan; returns its number. */
  count(): number {
    if (++this.#sinceForgotten > this.#limit) {
      this.#sinceForgotten = 0
      for (const root of this.#roots.values()) root.forget()
    }
    return ++this.#made
  }
}
