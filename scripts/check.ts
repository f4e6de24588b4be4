// All of CI after the build. What reads the sources and the package goes on beside the tests, which leave a fifth of the processor alone while
// they wait for servers and for time to pass; neither keeps the other from saying what it has found.
import { spawn } from 'node:child_process'
import { constants, setPriority } from 'node:os'

const tests = spawn('vitest', ['run'], { stdio: 'inherit', shell: process.platform === 'win32' })

// What is printed meanwhile would stand between the lines of the tests.
const reading = spawn('npm run --silent static', { shell: true, stdio: ['ignore', 'pipe', 'pipe'] })
setPriority(reading.pid!, constants.priority.PRIORITY_BELOW_NORMAL)
let read = ''
for (const stream of [reading.stdout, reading.stderr]) {
  stream.setEncoding('utf8').on('data', (text: string) => void (read += text))
}

process.once('SIGTERM', () => {
  for (const child of [tests, reading]) child.kill()
})

const codes = await Promise.all(
  [tests, reading].map((child) => new Promise<number | null>((resolve) => child.once('close', resolve))),
)
// Last, where it is looked for.
console.log(read)
process.exit(codes.every((code) => code === 0) ? 0 : 1)
