// Holders and items that belong together by a key of any type, over every kind of relation, for tests of how children find
// their parents. Keys are given and read as the database's own texts.
import { defineRelations } from 'drizzle-orm'
import { customType, index, integer, pgSchema } from 'drizzle-orm/pg-core'

export interface KeyType {
  /** The SQL type of the holders' key. */
  readonly holder: string
  /** The SQL type of the items' key. Default: the same. */
  readonly item?: string
  /** Keys as texts; those of one list are equal. Holders and items have each of them. */
  readonly equal: readonly (readonly string[])[]
  /** Keys that no item can have. */
  readonly holdersOnly?: readonly string[]
  /** False when a custom type without codec cannot write what it reads, so that no filter can set the key. */
  readonly filtered?: boolean
  /** SQL that makes the type, of what the embedded engine comes without. */
  readonly setUp?: string
}

/** The models of a key type, whose tables are in the schema `name`. */
export function keyedRelations(name: string, { holder, item = holder }: KeyType) {
  const { table } = pgSchema(name)
  const holderKey = customType<{ data: string }>({ dataType: () => holder })
  const itemKey = customType<{ data: string }>({ dataType: () => item })
  const holders = table('holders', { id: integer().primaryKey(), shelf: integer().notNull(), code: holderKey() })
  const owners = table('owners', { id: integer().primaryKey(), code: holderKey().notNull().unique() })
  const items = table('items', {
    id: integer().primaryKey(),
    shelf: integer().notNull(),
    code: itemKey(),
    kind: integer().notNull(),
  })
  const indexed = table(
    'indexed',
    { id: integer().primaryKey(), shelf: integer().notNull(), code: itemKey(), kind: integer().notNull() },
    (t) => [index().on(t.code), index().on(t.shelf, t.code)],
  )
  const links = table('links', {
    id: integer().primaryKey(),
    holderCode: itemKey('holder_code'),
    itemId: integer('item_id').notNull(),
  })
  return defineRelations({ holders, owners, items, indexed, links }, (r) => ({
    holders: {
      items: r.many.items({ from: r.holders.code, to: r.items.code, alias: 'items' }),
      indexed: r.many.indexed({ from: r.holders.code, to: r.indexed.code, alias: 'indexed' }),
      shelved: r.many.items({
        from: [r.holders.shelf, r.holders.code],
        to: [r.items.shelf, r.items.code],
        alias: 'shelved',
      }),
      shelvedIndexed: r.many.indexed({
        from: [r.holders.shelf, r.holders.code],
        to: [r.indexed.shelf, r.indexed.code],
        alias: 'shelvedIndexed',
      }),
      linked: r.many.items({
        from: r.holders.code.through(r.links.holderCode),
        to: r.items.id.through(r.links.itemId),
        alias: 'linked',
      }),
    },
    owners: { items: r.many.items({ from: r.owners.code, to: r.items.code, alias: 'owned' }) },
    items: { owner: r.one.owners({ from: r.items.code, to: r.owners.code, alias: 'owner' }) },
  }))
}

/** The tables and rows of a key type: a holder, two items of two kinds and a link for every text, an owner for each key. */
export function keyedSql(name: string, { holder, item = holder, equal, holdersOnly = [], setUp }: KeyType): string {
  const texts = equal.flat()
  const list = (all: readonly string[]): string => `unnest(array[${all.map((text) => `'${text}'`).join(',')}]::text[])`
  const rows = `${list(texts)} with ordinality as t(text, i)`
  const codes = `(id integer primary key, shelf integer not null, code ${item}, kind integer not null)`
  const inSchema = (statement: string): string => statement.replaceAll('~', `"${name}".`)
  return inSchema(`
${setUp ?? 'select 1'};
create schema "${name}";
create table ~holders (id integer primary key, shelf integer not null, code ${holder});
create table ~owners (id integer primary key, code ${holder} not null unique);
create table ~items ${codes};
create table ~indexed ${codes};
create index on ~indexed (code);
create index on ~indexed (shelf, code);
create table ~links (id integer primary key, holder_code ${item}, item_id integer not null);
insert into ~holders select i, 1 + i % 2, text::${holder} from ${list([...texts, ...holdersOnly])} with ordinality as t(text, i);
insert into ~holders select 100 + n, n, null from generate_series(1, 2) n;
insert into ~owners select i, text::${holder} from ${list(equal.map(([first]) => first!))} with ordinality as t(text, i);
insert into ~items select 10 * i + n, n, text::${item}, n from ${rows}, generate_series(1, 2) n;
insert into ~items values (1000, 1, null, 1);
insert into ~indexed select * from ~items;
insert into ~links select 10 * i + n, text::${item}, (i % ${texts.length} + 1) * 10 + n from ${rows}, generate_series(1, 2) n;
`)
}
