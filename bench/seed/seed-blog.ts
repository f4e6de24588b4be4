import { readFileSync } from 'node:fs'
import pg from 'pg'
import { deepOffset, type Anchor } from '../contestants/contestant.ts'

/** A database filled with the blog. */
export interface SeededBlog extends AsyncDisposable {
  readonly url: string
  readonly anchor: Anchor
  /** For example `15.20`. */
  readonly serverVersion: string
}

/** Creates the database `plimsoll_bench` anew and fills it with the blog, analyzed; closing it drops the database. */
export async function seedBlog(serverUrl: string): Promise<SeededBlog> {
  const name = 'plimsoll_bench'
  const url = Object.assign(new URL(serverUrl), { pathname: `/${name}` }).href
  const drop = `drop database if exists ${name} with (force)`
  const serverVersion = await withClient(serverUrl, async (client) => {
    await client.query(drop)
    await client.query(`create database ${name} encoding 'UTF8' template template0`)
    const { rows } = await client.query<{ server_version: string }>('show server_version')
    return rows[0]!.server_version.split(' ')[0]!
  })
  const anchor = await withClient(url, async (client) => {
    await client.query(readFileSync(new URL('./blog.sql', import.meta.url), 'utf8'))
    await client.query('vacuum analyze')
    // The dirty pages of the seed are written now rather than during the first rounds.
    await client.query('checkpoint')
    const { rows } = await client.query<Anchor>(
      `select id, published_at as "publishedAt" from posts where status = 'published'
        order by published_at desc, id desc limit 1 offset ${deepOffset - 1}`,
    )
    return rows[0]!
  })
  return {
    url,
    anchor,
    serverVersion,
    async [Symbol.asyncDispose]() {
      await withClient(serverUrl, (client) => client.query(drop))
    },
  }
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
