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

  constructor(spec: QuerySpec, tree: ShapeTree, id: number) {
    this.spec = spec
    this.tree = tree
    this.id = id
  }

  /** The shape after one more step; `next` makes its spec the first time. `key` must say all of the step but its values. */
  step(key: string, next: (spec: QuerySpec) => QuerySpec): Shape {
    let shape = this.#steps.get(key)
    if (shape === undefined) {
      const spec = next(this.spec)
      shape = new Shape(spec, this.tree, this.tree.admit(this))
      this.#steps.set(key, shape)
    }
    return shape
  }

  /** What was compiled under `key`, made by `compile` the first time. */
  compiled<T>(key: string, compile: (spec: QuerySpec) => T): T {
    let value = this.#compiled.get(key) as T | undefined
    if (value === undefined) {
      value = compile(this.spec)
      this.tree.admit(this)
      this.#compiled.set(key, value)
    }
    return value
  }

  /** Forgets every step from here and everything compiled here; querysets that hold the shape keep working. */
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
  /** Those that something hangs on. A queryset may hold one of them for good: no walk from the roots would meet it again. */
  readonly #holders = new Set<Shape>()
  #kept = 0
  #made = 0

  constructor(graph: ModelGraph, limit: number) {
    this.graph = graph
    this.#limit = limit
  }

  /** The shape of all rows of a model, from which its querysets start. */
  rootOf(model: string): Shape {
    let root = this.#roots.get(model)
    if (root === undefined) {
      root = new Shape(allRows(this.graph.models.get(model)!), this, ++this.#made)
      this.#roots.set(model, root)
    }
    return root
  }

  /** Makes room for one more shape or plan that `holder` keeps; gives its number. */
  admit(holder: Shape): number {
    if (this.#kept >= this.#limit) {
      for (const shape of this.#holders) shape.forget()
      this.#holders.clear()
      this.#kept = 0
    }
    this.#holders.add(holder)
    this.#kept += 1
    return ++this.#made
  }
}
