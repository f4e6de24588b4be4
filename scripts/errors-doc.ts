// Writes docs/errors.md from src/core/error-codes.ts; a test fails when the two disagree.
import { writeFileSync } from 'node:fs'
import { errorsPage } from './errors-page.ts'

writeFileSync('docs/errors.md', errorsPage())
