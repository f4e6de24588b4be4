// Prisma 7 with its `prisma-client` generator, the `fast` build of the query compiler and the adapter for `pg`. Both load
// strategies were tried ("query", the default, sends one statement per relation; "join" one statement with JSON built by
// PostgreSQL); each workload uses the one that was faster here.
import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from '../generated/prisma/client.ts'
import { deepOffset, newestSize, pageSize, treesSize, type OpenContestant } from './contestant.ts'

const newestFirst = [{ publishedAt: 'desc' as const }, { id: 'desc' as const }]
const sixColumns = {
  relationLoadStrategy: 'join' as const,
  where: { status: 'published' },
  orderBy: newestFirst,
  select: {
    id: true,
    title: true,
    views: true,
    publishedAt: true,
    author: { select: { name: true } },
    category: { select: { name: true } },
  },
}

/** Prisma 7 on `@prisma/adapter-pg`. */
export const openPrisma: OpenContestant = async ({ url, anchor }) => {
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: 10 }) })
  await prisma.$connect()
  return {
    postById: async (id) =>
      prisma.post.findUnique({
        relationLoadStrategy: 'join',
        where: { id },
        include: { author: true, category: true },
      }),
    newestPosts: async () => prisma.post.findMany({ ...sixColumns, take: newestSize }),
    async newestTrees() {
      const posts = await prisma.post.findMany({
        relationLoadStrategy: 'query',
        where: { status: 'published' },
        orderBy: newestFirst,
        take: treesSize,
        include: {
          author: true,
          postTags: { select: { tag: true } },
          comments: { include: { author: true } },
        },
      })
      // The schema has its junction as a model, so the tags are one step further away than for the others.
      return posts.map(({ postTags, ...post }) => ({ ...post, tags: postTags.map(({ tag }) => tag) }))
    },
    firstPage: async () => prisma.post.findMany({ ...sixColumns, take: pageSize }),
    pageAfterAnchor: async () =>
      prisma.post.findMany({ ...sixColumns, take: pageSize, cursor: { id: anchor.id }, skip: 1 }),
    pageAtOffset: async () =>
      prisma.post.findMany({ ...sixColumns, relationLoadStrategy: 'query', take: pageSize, skip: deepOffset }),
    close: () => prisma.$disconnect(),
  }
}
