import type { QualifiedName } from './sql-statement.ts'

/** Keywords that a parenthesis may follow, which is then no call. */
const keywords: ReadonlySet<string> = new Set(
  (
    'all and any array as between by case cast distinct else except exists filter from full group having ilike in inner insert ' +
    'intersect into is isnull join lateral left like limit materialized not notnull offset on only or order over partition ' +
    'recursive references returning right row rows select set similar some symmetric then union using values when where ' +
    'window with within conflict do update key check default primary unique'
  ).split(' '),
)

/** Functions that PostgreSQL (or an extension that many have) comes with, and types, whose length is in parentheses. */
const named: ReadonlySet<string> = new Set(
  (
    'abs age ascii avg bit_and bit_or bit_length bool_and bool_or btrim cardinality ceil ceiling char_length character_length chr ' +
    'clock_timestamp coalesce concat concat_ws corr count cube cume_dist currval decode degrees dense_rank digest div encode every exp ' +
    'extract first_value floor format gen_random_uuid gen_random_bytes generate_series generate_subscripts greatest grouping hmac ' +
    'host initcap isempty isfinite justify_days justify_hours justify_interval lag last_value lastval lead least left length ' +
    'levenshtein ln localtime localtimestamp log lower lower_inc lower_inf lpad ltrim masklen max md5 min mod mode network normalize ' +
    'now nth_value ntile nullif num_nonnulls num_nulls numnode octet_length overlay percent_rank percentile_cont percentile_disc ' +
    'phraseto_tsquery pi plainto_tsquery position power querytree radians random range_agg range_merge rank regexp repeat replace ' +
    'reverse right rollup round row_number rpad rtrim scale setweight sha224 sha256 sha384 sha512 sign similarity sin cos sets ' +
    'soundex split_part sqrt starts_with statement_timestamp stddev stddev_pop stddev_samp strict_word_similarity strip strpos ' +
    'substr substring sum tan timeofday transaction_timestamp translate treat trim trim_scale trunc tsvector_to_array tsquery ' +
    'unaccent unicode unnest upper upper_inc upper_inf uuid_generate_v4 uuidv4 uuidv7 var_pop var_samp variance version websearch_to_tsquery ' +
    'width_bucket word_similarity bit bool bpchar char character date decimal double float float4 float8 halfvec int int2 int4 int8 ' +
    'integer interval name numeric real smallint bigint text time timestamp timestamptz timetz uuid varbit varchar varying vector ' +
    'zone int4range int8range numrange tsrange tstzrange daterange box circle point cosine_distance l2_distance inner_product ' +
    'nextval setval set_config inet_client_addr inet_server_addr'
  ).split(' '),
)

const families = /^(?:array_|current_|date_|has_|json|make_|pg_|quote_|regexp_|st_|string_|to_|ts_(?!stat)|txid_)/

/** True for a call of a function that is not known to keep its hands off tables; `name` stands before a parenthesis. */
export function isUnknownCall({ schema, name }: Pick<QualifiedName, 'schema' | 'name'>): boolean {
  if (schema !== undefined && schema !== 'pg_catalog') return true
  return !keywords.has(name) && !named.has(name) && !families.test(name)
}
