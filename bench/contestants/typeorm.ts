// TypeORM: to-one relations by the query builder's joins with a `select`, as its page on performance recommends; the tree by `find`
// with joins, which was faster here than `relationLoadStrategy: 'query'` (4 ms against 7).
import { DataSource, EntitySchema } from 'typeorm'
import { deepOffset, newestSize, pageSize, treesSize, type OpenContestant } from './contestant.ts'

interface AuthorRow {
  id: number
  name: string
  email: string
  country: string
}

interface CategoryRow {
  id: number
  name: string
}

interface TagRow {
  id: number
  name: string
}

interface CommentRow {
  id: number
  postId: number
  authorId: number
  body: string
  createdAt: Date
  post: PostRow
  author: AuthorRow
}

interface PostRow {
  id: number
  authorId: number
  categoryId: number
  title: string
  body: string
  status: string
  views: number
  publishedAt: Date
  author: AuthorRow
  category: CategoryRow
  comments: CommentRow[]
  tags: TagRow[]
}

const id = { type: 'integer', primary: true, generated: 'increment' } as const

const authors = new EntitySchema<AuthorRow>({
  name: 'author',
  tableName: 'authors',
  columns: { id, name: { type: 'text' }, email: { type: 'text', unique: true }, country: { type: 'text' } },
})
const categories = new EntitySchema<CategoryRow>({
  name: 'category',
  tableName: 'categories',
  columns: { id, name: { type: 'text' } },
})
const tags = new EntitySchema<TagRow>({
  name: 'tag',
  tableName: 'tags',
  columns: { id, name: { type: 'text', unique: true } },
})
const comments = new EntitySchema<CommentRow>({
  name: 'comment',
  tableName: 'comments',
  columns: {
    id,
    postId: { type: 'integer', name: 'post_id' },
    authorId: { type: 'integer', name: 'author_id' },
    body: { type: 'text' },
    createdAt: { type: 'timestamptz', name: 'created_at' },
  },
  relations: {
    post: { type: 'many-to-one', target: 'post', joinColumn: { name: 'post_id' }, inverseSide: 'comments' },
    author: { type: 'many-to-one', target: 'author', joinColumn: { name: 'author_id' } },
  },
})
const posts = new EntitySchema<PostRow>({
  name: 'post',
  tableName: 'posts',
  columns: {
    id,
    authorId: { type: 'integer', name: 'author_id' },
    categoryId: { type: 'integer', name: 'category_id' },
    title: { type: 'text' },
    body: { type: 'text' },
    status: { type: 'text' },
    views: { type: 'integer' },
    publishedAt: { type: 'timestamptz', name: 'published_at' },
  },
  relations: {
    author: { type: 'many-to-one', target: 'author', joinColumn: { name: 'author_id' } },
    category: { type: 'many-to-one', target: 'category', joinColumn: { name: 'category_id' } },
    comments: { type: 'one-to-many', target: 'comment', inverseSide: 'post' },
    tags: {
      type: 'many-to-many',
      target: 'tag',
      joinTable: {
        name: 'post_tags',
        joinColumn: { name: 'post_id', referencedColumnName: 'id' },
        inverseJoinColumn: { name: 'tag_id', referencedColumnName: 'id' },
      },
    },
  },
})

/** TypeORM on `pg`. */
export const openTypeorm: OpenContestant = async ({ url, anchor }) => {
  const source = new DataSource({
    type: 'postgres',
    url,
    entities: [authors, categories, tags, comments, posts],
    poolSize: 10,
  })
  await source.initialize()
  const repository = source.getRepository(posts)
  const sixColumns = () =>
    repository
      .createQueryBuilder('post')
      .innerJoin('post.author', 'author')
      .innerJoin('post.category', 'category')
      .select(['post.id', 'post.title', 'post.views', 'post.publishedAt', 'author.name', 'category.name'])
      .where('post.status = :status', { status: 'published' })
      .orderBy('post.publishedAt', 'DESC')
      .addOrderBy('post.id', 'DESC')
  return {
    postById: (postId) =>
      repository
        .createQueryBuilder('post')
        .innerJoinAndSelect('post.author', 'author')
        .innerJoinAndSelect('post.category', 'category')
        .where('post.id = :id', { id: postId })
        .getOne(),
    // `limit` is safe and one statement here, as no to-many relation is joined; `take` would send two.
    newestPosts: () => sixColumns().limit(newestSize).getMany(),
    newestTrees: () =>
      repository.find({
        where: { status: 'published' },
        order: { publishedAt: 'DESC', id: 'DESC' },
        take: treesSize,
        relations: { author: true, tags: true, comments: { author: true } },
        relationLoadStrategy: 'join',
      }),
    firstPage: () => sixColumns().limit(pageSize).getMany(),
    pageAfterAnchor: () =>
      sixColumns()
        .andWhere('(post.publishedAt, post.id) < (:at, :id)', { at: anchor.publishedAt, id: anchor.id })
        .limit(pageSize)
        .getMany(),
    pageAtOffset: () => sixColumns().limit(pageSize).offset(deepOffset).getMany(),
    close: () => source.destroy(),
  }
}
