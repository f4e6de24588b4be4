/** The TypeScript programs that a page of documentation spells out, by file name. */
export interface PageProgram {
  readonly markdown: string
  readonly files: ReadonlyMap<string, string>
  /** For each file the lines that its comments `// → …` say it prints, in order. */
  readonly prints: ReadonlyMap<string, readonly string[]>
}

/**
 * Puts the `ts` blocks of a page together: a block whose first line is a comment with a file name is that file, all others
 * are one program, `page.ts`, in the order of the page.
 */
export function readSnippets(markdown: string): PageProgram {
  const files = new Map<string, string>()
  for (const [, block = ''] of markdown.matchAll(/^```ts\n(.*?)^```$/gms)) {
    const name = /^\/\/ ([a-z-]+\.ts)\n/.exec(block)?.[1] ?? 'page.ts'
    files.set(name, `${files.get(name) ?? ''}${block}`)
  }
  const prints = [...files].map(
    ([name, text]) => [name, [...text.matchAll(/\/\/ → (.*)$/gm)].map((match) => match[1]!)] as const,
  )
  return { markdown, files, prints: new Map(prints) }
}
