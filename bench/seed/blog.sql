-- The blog that every query suite reads: 5,000 authors, 20 categories, 100,000 posts of about 1 KB, 500,000 comments,
-- 500 tags and 300,000 post_tags. Everything is computed from the row's number, so every run has the same rows.
-- Instants have whole milliseconds, so that the peers whose cursors are JavaScript Dates can page without losing rows;
-- every third post shares its instant with its neighbour, so that keyset pages need their tie-breaker.
create table authors (
  id integer primary key generated always as identity,
  name text not null,
  email text not null unique,
  country text not null
);
create table categories (
  id integer primary key generated always as identity,
  name text not null
);
create table posts (
  id integer primary key generated always as identity,
  author_id integer not null,
  category_id integer not null,
  title text not null,
  body text not null,
  status text not null,
  views integer not null,
  published_at timestamptz not null
);
create table comments (
  id integer primary key generated always as identity,
  post_id integer not null,
  author_id integer not null,
  body text not null,
  created_at timestamptz not null
);
create table tags (
  id integer primary key generated always as identity,
  name text not null unique
);
create table post_tags (
  post_id integer not null,
  tag_id integer not null
);

insert into authors (name, email, country)
select (array['Åsa', 'Bo', 'Chloé', 'Dörte', 'Emil', 'Fatima', 'Giò', 'Hana'])[1 + n % 8] || ' ' || initcap(substr(md5(n::text), 1, 7)),
  'author-' || n || '@example.com', (array['SE', 'DE', 'FR', 'GB', 'JP', 'BR', 'IN', 'US'])[1 + n % 8]
from generate_series(1, 5000) n order by n;

insert into categories (name)
select 'Category ' || n from generate_series(1, 20) n order by n;

insert into posts (author_id, category_id, title, body, status, views, published_at)
select 1 + (n::bigint * 7919 % 5000)::integer, 1 + n * 31 % 20, 'Post ' || n || ': ' || md5('title' || n),
  left('“' || md5(n::text) || E'” she said.\n' || repeat(
    'Every hull has a line; the sea ' || md5('body' || n) || ' decides whether it was drawn in the right "place". ', 10), 1000),
  case when n % 10 = 0 then 'draft' else 'published' end, (n::bigint * 104729 % 100000)::integer,
  timestamptz '2020-01-01 00:00:00+00' + ((n - (n % 3 = 0)::integer)::bigint * 1234567) * interval '1 millisecond'
from generate_series(1, 100000) n order by n;

insert into comments (post_id, author_id, body, created_at)
select 1 + (n::bigint * 15485863 % 100000)::integer, 1 + (n::bigint * 32452843 % 5000)::integer,
  'I read it twice: ' || md5('comment' || n) || ' — ' || md5('more' || n),
  timestamptz '2024-01-01 00:00:00+00' + n * interval '250 milliseconds'
from generate_series(1, 500000) n order by n;

insert into tags (name)
select 'tag-' || n from generate_series(1, 500) n order by n;

insert into post_tags (post_id, tag_id)
select post, 1 + (post * 13 + slot * 167) % 500
from generate_series(1, 100000) post, generate_series(0, 2) slot order by post, slot;

alter table posts
  add foreign key (author_id) references authors,
  add foreign key (category_id) references categories;
alter table comments
  add foreign key (post_id) references posts,
  add foreign key (author_id) references authors;
alter table post_tags
  add primary key (post_id, tag_id),
  add foreign key (post_id) references posts,
  add foreign key (tag_id) references tags;
create index posts_status_published_at_id on posts (status, published_at desc, id desc);
create index posts_author_id on posts (author_id);
create index posts_category_id on posts (category_id);
create index comments_post_id on comments (post_id);
create index comments_author_id on comments (author_id);
create index post_tags_tag_id on post_tags (tag_id);
