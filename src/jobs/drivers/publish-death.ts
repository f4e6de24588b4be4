import { events, publishNotice, type PlimsollEvent } from '../../core/events.ts'

/** Publishes that a worker has died of a job, or with it; who is put in quarantine for it is for logs too. */
export function publishDeath(death: Omit<Extract<PlimsollEvent, { readonly type: 'job.death' }>, 'type'>): void {
  const event = { type: 'job.death', ...death } as const
  if (death.quarantined) publishNotice(event)
  else if (events.hasSubscribers) events.publish(event)
}
