/** As much of XMLHttpRequest as is used: `fetch` does not say how much it has sent. */
interface Sender {
  readonly status: number
  readonly upload: { addEventListener(type: 'progress', listener: (event: { readonly loaded: number }) => void): void }
  addEventListener(type: 'load' | 'error' | 'timeout' | 'abort', listener: () => void): void
  open(method: string, url: string): void
  setRequestHeader(name: string, value: string): void
  send(body: Blob): void
  abort(): void
}

declare const XMLHttpRequest: new () => Sender

/** What is sent, and where to. */
export interface BytesRequest {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Blob
  readonly signal: AbortSignal
  /** Told how many bytes have left. */
  readonly onSent: (bytes: number) => void
}

/** Puts bytes; resolves to the status of the answer, 0 when there was none. Rejects when the signal aborts. */
export function sendBytes({ url, headers, body, signal, onSent }: BytesRequest): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    const abort = (): void => request.abort()
    const end = (status: number): void => {
      signal.removeEventListener('abort', abort)
      resolve(status)
    }
    request.open('PUT', url)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.addEventListener('progress', ({ loaded }) => onSent(loaded))
    request.addEventListener('load', () => end(request.status))
    request.addEventListener('error', () => end(0))
    request.addEventListener('timeout', () => end(0))
    request.addEventListener('abort', () => reject(signal.reason as Error))
    signal.addEventListener('abort', abort)
    request.send(body)
  })
}
