/** An object of about 200 bytes as JSON. */
export function recordAt(i: number): Record<string, unknown> {
  return {
    id: i,
    title: `Article number ${i}, of which there are many`,
    author: { id: i % 500, name: `Author ${i % 500}` },
    views: (i * 7919) % 100_000,
    publishedAt: '2026-01-01T00:00:00.000Z',
    tags: ['cache', 'bench'],
  }
}

/** A text of 200 bytes. */
export function textAt(i: number): string {
  return `${i}:`.padEnd(200, 'The quick brown fox jumps over the lazy dog. ')
}
