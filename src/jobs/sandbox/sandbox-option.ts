import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { getCallSites } from 'node:util'
import { PlimsollError, showValue } from '../../core/errors.ts'
import { parseSize } from '../../core/size.ts'
import type { SandboxOptions } from '../types.ts'

/** With less, Node.js itself does not start. */
const leastBytes = 32 * 1024 ** 2
/** Where `defineJob` was called, seen from the function below. */
const callerDepth = 2

/**
 * Reads the option `sandbox` of a job. For `true` the module is the one that has called `defineJob`, which it has to do itself.
 *
 * @throws PLIMSOLL_OPTION_INVALID
 */
export function parseSandbox(sandbox: SandboxOptions | true): {
  readonly module: string
  readonly memoryBytes: number
} {
  const { module, memory = '512MB' } = sandbox === true ? { module: callingModule() } : sandbox
  const url = isAbsolute(String(module)) ? pathToFileURL(String(module)).href : module
  if (!String(url).startsWith('file:'))
    throw invalid('sandbox.module', module, 'give import.meta.url in the module that exports the job')
  const memoryBytes = parseSize(memory, 'sandbox.memory')
  if (memoryBytes < leastBytes) throw invalid('sandbox.memory', memory, "give at least '32MB'")
  return { module: url!, memoryBytes }
}

function callingModule(): string | undefined {
  return getCallSites(callerDepth + 2)[callerDepth + 1]?.scriptName
}

function invalid(option: string, value: unknown, fix: string): PlimsollError {
  return new PlimsollError('PLIMSOLL_OPTION_INVALID', `${option} of a job is ${showValue(value)}; ${fix}.`, {
    details: { option },
  })
}
