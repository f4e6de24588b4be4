/** An event as a browser gets it. */
export interface SentEvent {
  readonly event: string
  readonly id: string
  readonly data: Readonly<Record<string, any>>
}

/** A stream of server-sent events. */
export interface EventStream {
  readonly status: number
  readonly headers: Headers
  /** All that came so far, comments and all. */
  text(): string
  /** The next event; undefined at the end. */
  next(): Promise<SentEvent | undefined>
  /** Resolves when `pattern` has come. */
  saw(pattern: RegExp): Promise<void>
  /** Leaves. */
  close(): void
}

/** Opens a stream as the `EventSource` of a browser does. */
export async function openEvents(url: string, headers: Readonly<Record<string, string>> = {}): Promise<EventStream> {
  const controller = new AbortController()
  const answer = await fetch(url, { headers: { accept: 'text/event-stream', ...headers }, signal: controller.signal })
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  let read = 0
  /** False at the end. */
  const more = async (): Promise<boolean> => {
    const part = await reader?.read()
    if (part === undefined || part.done) return false
    text += part.value
    return true
  }
  return {
    status: answer.status,
    headers: answer.headers,
    text: () => text,
    async next() {
      for (;;) {
        const end = text.indexOf('\n\n', read)
        if (end < 0) {
          if (await more()) continue
          return undefined
        }
        const lines = text.slice(read, end).split('\n')
        read = end + 2
        const field = (name: string): string | undefined =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
        const data = field('data')
        if (data !== undefined)
          return { event: field('event')!, id: field('id')!, data: JSON.parse(data) as SentEvent['data'] }
      }
    },
    async saw(pattern) {
      while (!pattern.test(text)) if (!(await more())) throw new Error(`The stream ended without ${pattern}: ${text}`)
    },
    close: () => controller.abort(),
  }
}
