/** True when the two types are the same, not merely assignable to each other. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only when the type of `value` is `Expected` exactly: `expectType<string>()(value, true)`. */
export function expectType<Expected>(): <Actual>(value: Actual, same: Same<Flat<Actual>, Flat<Expected>>) => void {
  return () => undefined
}

/** An object type with its intersections merged, so that only its properties are compared. */
export type Flat<T> = T extends Date | bigint | Buffer | Promise<unknown> | ((...args: never) => unknown)
  ? T
  : T extends object
    ? { [K in keyof T]: Flat<T[K]> }
    : T
