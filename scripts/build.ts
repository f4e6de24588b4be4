// Compiles src/ to dist/ (JavaScript and declarations); the old dist/ goes first so that no deleted file survives.
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'

rmSync('dist', { recursive: true, force: true })
execFileSync('tsc', ['-p', 'tsconfig.build.json', '--checkers', '2'], { stdio: 'inherit' })
