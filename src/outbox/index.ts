export { bumpKind } from './contract.ts'
export type { CarryInfo, Carrier, Outbox, OutboxOptions, WrittenTags } from './contract.ts'
export { openOutbox } from './open-outbox.ts'
