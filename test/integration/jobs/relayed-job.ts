import { defineJob } from '../../../src/jobs/index.ts'
import { anything } from '../../drivers/anything.ts'

/** What has run, in this process. */
export const ran: string[] = []

const writeDown = (input: string): string => {
  ran.push(input)
  return input
}

/** A job that is forgotten once it is done. */
export const forgottenJob = defineJob('forgotten', { input: anything<string>(), keep: '1ms' }, writeDown)

/** A job that writes down its input. */
export const relayedJob = defineJob('relayed', { input: anything<string>() }, writeDown)
