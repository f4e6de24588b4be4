/** What Emscripten is told of the WebAssembly to make: the functions that it imports, and what is done once it is there. */
interface EmscriptenOptions {
  instantiateWasm(imports: WasmImports, done: unknown): unknown
}

interface WasmImports {
  readonly env: { _setitimer_js(which: number, ms: number): number }
}

/**
 * Keeps the timers of PostgreSQL from keeping the process alive. It sets one of ten seconds after statements, to write its statistics, and
 * PGlite makes a `setTimeout` of each. The work that a program waits for is kept alive by the door.
 */
export const unheldTimers = {
  name: 'plimsoll: timers that do not keep the process alive',
  setup: (_: unknown, options: EmscriptenOptions): Promise<{ readonly emscriptenOpts: EmscriptenOptions }> => {
    const instantiateWasm: EmscriptenOptions['instantiateWasm'] = ({ env, ...others }, done) => {
      const { _setitimer_js: set } = env
      const unheld = (which: number, ms: number): number => withUnheldTimeouts(() => set(which, ms))
      return options.instantiateWasm({ ...others, env: { ...env, _setitimer_js: unheld } }, done)
    }
    return Promise.resolve({ emscriptenOpts: { ...options, instantiateWasm } })
  },
}

/** Emscripten keeps the timers that it makes to itself: they are caught where it makes them. */
function withUnheldTimeouts<T>(work: () => T): T {
  const { setTimeout: set } = globalThis
  globalThis.setTimeout = ((...given: Parameters<typeof set>) => set(...given).unref()) as typeof set
  try {
    return work()
  } finally {
    globalThis.setTimeout = set
  }
}
