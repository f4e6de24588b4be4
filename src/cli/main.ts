#!/usr/bin/env node
import { isPlimsollError, PlimsollError } from '../core/errors.ts'
import { migrateCommand, migrateHelp } from './migrate-command.ts'
import { workerCommand, workerHelp } from './worker-command.ts'

const help = `Usage: plimsoll COMMAND [options]

  migrate   runs migrations, and prepares the database for Plimsoll
  worker    runs the jobs of an application

plimsoll COMMAND --help tells more.`

try {
  const [command, ...rest] = process.argv.slice(2)
  if (command === 'migrate') await migrateCommand(rest, (line) => console.log(line))
  else if (command === 'worker') await workerCommand(rest, (line) => console.log(line))
  else if (command === undefined || command === '--help' || command === '-h') console.log(help)
  else throw new PlimsollError('PLIMSOLL_OPTION_INVALID', `There is no command '${command}'.\n\n${help}\n`)
} catch (error) {
  console.error(explain(error))
  process.exitCode = 1
}

/** What went wrong in words that lead to the fix; anything unforeseen with its stack. */
function explain(error: unknown): string {
  if (isPlimsollError(error)) return `${error.code}: ${error.message}\n${error.fix}`
  const { code, message, stack } = error as NodeJS.ErrnoException
  return code?.startsWith('ERR_PARSE_ARGS')
    ? `${message}\n\n${process.argv[2] === 'worker' ? workerHelp : migrateHelp}`
    : (stack ?? String(error))
}
