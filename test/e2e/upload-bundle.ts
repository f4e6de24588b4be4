import { fileURLToPath } from 'node:url'
import { build, type Rolldown } from 'vite'

/** The browser helper as a page would get it: one minified module. */
export async function bundleUpload(): Promise<string> {
  const built = (await build({
    configFile: false,
    logLevel: 'silent',
    build: {
      write: false,
      minify: true,
      lib: { entry: fileURLToPath(new URL('../../src/upload/index.ts', import.meta.url)), formats: ['es'] },
      rolldownOptions: { output: { minify: true } },
    },
  })) as Rolldown.RolldownOutput[]
  return built[0]!.output[0].code
}
