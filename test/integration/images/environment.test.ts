import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { parseLimits } from '../../../src/files/images/image-limits.ts'
import { openImageMaker } from '../../../src/files/images/image-maker.ts'
import { parseVariant } from '../../../src/files/images/image-variant.ts'
import { imageProcesses } from './image-processes.ts'
import { plainPng } from './make-png.ts'

test.skipIf(!existsSync('/proc/self/environ'))('a process that reads images knows no secret of this one', async () => {
  vi.stubEnv('STORAGE_URL', 's3://key:a-secret-of-the-tests@bucket')
  onTestFinished(() => void vi.unstubAllEnvs())
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-images-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const other = openImageMaker({ most: 1 })
  onTestFinished(() => other.close())
  const input = join(folder, 'image.png')
  writeFileSync(input, plainPng(20, 20))
  const outputs = [{ file: `${input}.0`, variant: parseVariant({ width: 10 }, 'variant') }]
  await other.make({ input, outputs }, { limits: parseLimits() })
  const [pid] = imageProcesses(process.pid)
  const names = readFileSync(`/proc/${pid}/environ`, 'utf8')
    .split('\0')
    .map((one) => one.split('=')[0]!)
  expect(names).toContain('VIPS_WARNING')
  const harmless =
    /^(?:PATH|NODE_OPTIONS|LD_LIBRARY_PATH|TE?MP|TMPDIR|FONTCONFIG_\w+|MALLOC_ARENA_MAX|VIPS_WARNING|NODE_CHANNEL_\w+|)$/
  expect(names.filter((name) => !harmless.test(name))).toEqual([])
})
