/**
 * A parameter as the wire of PostgreSQL takes it: text, numbers, bigints and booleans go as text, a Buffer as binary,
 * null as NULL, an array as a PostgreSQL array literal of those. Anything else is encoded before it comes here.
 */
export type WireValue = string | number | bigint | boolean | Buffer | null | readonly WireValue[]
