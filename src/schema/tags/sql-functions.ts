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
    'nextval setval set_config inet_client_addr inet_server_addr json jsonb'
  ).split(' '),
)

/**
 * Those of PostgreSQL's own whose names begin with a word that functions of an application begin with too: `make_date` is one of
 * its own, and `make_order` hardly. By that word, what may come after it.
 */
const families: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    array:
      'agg append cat dims fill length lower ndims position positions prepend remove replace reverse sample shuffle sort to_json ' +
      'to_string to_tsvector upper',
    current: 'catalog database date query role schema schemas setting time timestamp user',
    date: 'add bin part subtract trunc',
    has:
      'any_column_privilege column_privilege database_privilege foreign_data_wrapper_privilege function_privilege ' +
      'language_privilege largeobject_privilege parameter_privilege schema_privilege sequence_privilege server_privilege ' +
      'table_privilege tablespace_privilege type_privilege',
    json:
      'agg agg_strict array array_elements array_elements_text array_length arrayagg build_array build_object each each_text exists ' +
      'extract_path extract_path_text object object_agg object_agg_strict object_agg_unique object_agg_unique_strict object_keys ' +
      'objectagg populate_record populate_recordset query scalar serialize strip_nulls table to_record to_recordset to_tsvector ' +
      'typeof value',
    jsonb:
      'agg agg_strict array_elements array_elements_text array_length build_array build_object concat contained contains delete ' +
      'delete_path each each_text exists exists_all exists_any extract_path extract_path_text insert object object_agg ' +
      'object_agg_strict object_agg_unique object_agg_unique_strict object_keys path_exists path_exists_tz path_match path_match_tz ' +
      'path_query path_query_array path_query_array_tz path_query_first path_query_first_tz path_query_tz populate_record ' +
      'populate_record_valid populate_recordset pretty set set_lax strip_nulls to_record to_recordset to_tsvector typeof',
    make: 'date interval time timestamp timestamptz',
    quote: 'ident literal nullable',
    regexp: 'count instr like match matches replace split_to_array split_to_table substr',
    string: 'agg to_array to_table',
    to:
      'ascii bin char date hex json jsonb number oct regclass regcollation regnamespace regoper regoperator regproc regprocedure ' +
      'regrole regtype regtypemod timestamp tsquery tsvector',
    ts: 'debug delete filter headline lexize parse rank rank_cd rewrite token_type',
    txid: 'current current_if_assigned current_snapshot snapshot_xip snapshot_xmax snapshot_xmin status visible_in_snapshot',
  }).map(([word, rest]) => [word, new Set(rest.split(' '))]),
)

/** Prefixes that are taken: PostgreSQL's own, and PostGIS'. */
const reserved = /^(?:pg_|st_)/

/** True for a call of a function that is not known to keep its hands off tables; `name` stands before a parenthesis. */
export function isUnknownCall({ schema, name }: Pick<QualifiedName, 'schema' | 'name'>): boolean {
  if (schema !== undefined && schema !== 'pg_catalog') return true
  if (keywords.has(name) || named.has(name) || reserved.test(name)) return false
  const at = name.indexOf('_')
  return at < 0 || families.get(name.slice(0, at))?.has(name.slice(at + 1)) !== true
}
