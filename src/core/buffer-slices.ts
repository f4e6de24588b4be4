declare global {
  /** Methods that every Node release has and its types leave out: `toString` and `write` without their checks. */
  interface Buffer {
    latin1Slice(start: number, end: number): string
    utf8Slice(start: number, end: number): string
    latin1Write(text: string, at: number): number
    utf8Write(text: string, at: number): number
  }
}

export {}
