import { createHash } from 'node:crypto'
import { mostWrittenRows, type TableTags, type TagColumn } from '../schema/index.ts'
import { bumpKind } from './contract.ts'
import { wakeChannel } from './outbox-rows.ts'
import { ownSetting } from './own-mark.ts'

/** The writes that a table has a trigger for, and the rows that each can look at. */
export const triggerEvents = {
  insert: 'referencing new table as new_rows',
  update: 'referencing old table as old_rows new table as new_rows',
  delete: 'referencing old table as old_rows',
  truncate: '',
} as const

// No text of ours holds it, and a name in the schema hardly.
const quote = '$plimsoll_body$'

/** Makes the function that spells a value in a tag, as `valuePart` of `schema/tags/tag-text.ts` does. */
export const tagValueSql = `
create or replace function plimsoll.tag_value(value text) returns text language sql immutable parallel safe
set search_path = pg_catalog as ${quote}
  select case
    when value is null then '%00'
    when octet_length(convert_to(value, 'UTF8')) > 64 then
      '~' || left(translate(encode(sha256(convert_to(value, 'UTF8')), 'base64'), '+/', '-_'), 22)
    else coalesce((
      select string_agg(
        case when letter collate "C" ~ '^[A-Za-z0-9_-]$' then letter
          else upper(regexp_replace(encode(convert_to(letter, 'UTF8'), 'hex'), '(..)', '%\\1', 'g')) end,
        '' order by place)
      from regexp_split_to_table(value, '') with ordinality as letters(letter, place)), '')
  end
${quote}`

/** The name of the function that the triggers of a table call: its tag may be longer than a name can be. */
export function noteFunction({ table }: Pick<TableTags, 'table'>): string {
  return `note_${createHash('sha256').update(table).digest('hex').slice(0, 16)}`
}

/**
 * Makes the function that the triggers of a table call: it records the tags of a write, and wakes the relays. It runs as whoever
 * made it, so that a writer needs no right to the outbox.
 *
 * What a statement of ours reports itself it leaves alone (`own-mark.ts`); not what other triggers write behind that statement,
 * which they do one level deeper. Foreign keys act on the same level: those that are in the schema are reported with the statement.
 */
export function noteFunctionSql(tags: TableTags): string {
  const { table, anyRow } = tags
  return `
create or replace function plimsoll.${noteFunction(tags)}() returns trigger language plpgsql
security definer set search_path = pg_catalog, pg_temp as ${quote}
declare
  tags text[];
  changed bigint;
begin
  if pg_trigger_depth() = 1
    and ${literal(table)} = any (string_to_array(coalesce(current_setting('${ownSetting}', true), ''), ',')) then
    return null;
  end if;
  case tg_op
    when 'INSERT' then ${collect(tags, ['new_rows'])}
    when 'DELETE' then ${collect(tags, ['old_rows'])}
    when 'UPDATE' then ${collect(tags, ['new_rows', 'old_rows'])}
    else null;
  end case;
  insert into plimsoll.outbox (kind, items)
    values ('${bumpKind}', coalesce(tags, array[${literal(table)}, ${literal(anyRow)}]));
  perform pg_notify('${wakeChannel}', '${bumpKind}');
  return null;
end
${quote}`
}

/** Counts the rows, and collects their tags unless they are too many; the tags of the table stand for those. */
function collect(tags: TableTags, tables: readonly [string, ...string[]]): string {
  const columns = tags.written.map((column) => column.sql).join(', ') || '1'
  const rows = tables.map((rowsOf) => `select ${columns} from ${rowsOf}`).join(' union all ')
  return `
      select count(*) into changed from ${tables[0]};
      if changed = 0 then return null; end if;
      if changed <= ${mostWrittenRows} then
        select array_agg(distinct tag) into tags
        from (${rows}) as r, lateral unnest(array[${rowTags(tags).join(', ')}]) as tag;
      end if;`
}

/** The tags of one row `r`, as expressions. */
function rowTags({ table, key, columns }: TableTags): string[] {
  const ofKey = key && `${literal(`${table}:`)} || ${key.map(valueSql).join(` || ':' || `)}`
  const ofColumns = columns.map((column) => `${literal(column.prefix)} || ${valueSql(column)}`)
  return [literal(table), ...(ofKey === undefined ? [] : [ofKey]), ...ofColumns]
}

/** A value as PostgreSQL sends it: a boolean is `t` there, and `true` as text. */
function valueSql({ column }: TagColumn): string {
  const value = `r.${column.sql}`
  const text =
    column.codec.sqlType === 'boolean' ? `case ${value} when true then 't' when false then 'f' end` : `${value}::text`
  return `plimsoll.tag_value(${text})`
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
