/** Spellings of built-in types → the name that {@link castType} gives; serials and lengths are not part of a value's type. */
const castNames: Readonly<Record<string, string>> = {
  smallint: 'smallint',
  int2: 'smallint',
  smallserial: 'smallint',
  serial2: 'smallint',
  integer: 'integer',
  int: 'integer',
  int4: 'integer',
  serial: 'integer',
  serial4: 'integer',
  bigint: 'bigint',
  int8: 'bigint',
  bigserial: 'bigint',
  serial8: 'bigint',
  numeric: 'numeric',
  decimal: 'numeric',
  real: 'real',
  float4: 'real',
  'double precision': 'double precision',
  float8: 'double precision',
  boolean: 'boolean',
  bool: 'boolean',
  text: 'text',
  varchar: 'varchar',
  'character varying': 'varchar',
  char: 'bpchar',
  character: 'bpchar',
  bpchar: 'bpchar',
  timestamp: 'timestamp without time zone',
  'timestamp without time zone': 'timestamp without time zone',
  timestamptz: 'timestamp with time zone',
  'timestamp with time zone': 'timestamp with time zone',
  time: 'time without time zone',
  'time without time zone': 'time without time zone',
  timetz: 'time with time zone',
  'time with time zone': 'time with time zone',
  // A cast to bit without its length would cut the value to one bit.
  bit: 'varbit',
  varbit: 'varbit',
  'bit varying': 'varbit',
  vector: 'vector',
  halfvec: 'halfvec',
  sparsevec: 'sparsevec',
  geometry: 'geometry',
}

/**
 * The type to cast a parameter to for a column declared as `declared`: without length, precision or dimensions, because
 * a cast would silently cut or round to those where an assignment reports an error. `varchar(20)` gives `varchar`,
 * `serial` gives `integer`; types that are not built in stay as they are written.
 */
export function castType(declared: string): string {
  const brackets = /(?:\[\d*\])+$/.exec(declared)?.[0] ?? ''
  const element = declared.slice(0, declared.length - brackets.length)
  return castElement(element) + brackets.replace(/\d/g, '')
}

function castElement(declared: string): string {
  const plain = declared
    .toLowerCase()
    .replace(/\s*\([^)]*\)/g, '')
    .replace(/\s+/g, ' ')
    .trim()
  if (plain === 'interval' || plain.startsWith('interval ')) return 'interval'
  return castNames[plain] ?? declared
}

/** Types whose values PostgreSQL compares directly and writes as the same text, so that a relation may join them. */
const comparable: Readonly<Record<string, string>> = {
  smallint: 'integer',
  integer: 'integer',
  bigint: 'integer',
  text: 'text',
  varchar: 'text',
}

/** The name of the group of types that a relation may join with `sqlType` (a {@link castType}). */
export function comparableType(sqlType: string): string {
  return comparable[sqlType] ?? sqlType
}
