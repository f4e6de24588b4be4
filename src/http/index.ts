export { plimsoll, type PlimsollOptions } from './plugin.ts'
export { registerResource } from './register-resource.ts'
export type {
  AddResource,
  PageSize,
  ResourceCache,
  ResourceChoices,
  ResourceOptions,
  Scope,
} from './resource-options.ts'
export { problemHandler, problemOf, sendProblem, toProblem, type Problem } from './problem.ts'
export type { JobStatusOptions } from './jobs/job-status.ts'
export { notFoundHandler } from './not-found.ts'
export { etagOf, matchesEtag } from './etag.ts'
export { surrogateKey, type SurrogateKeys } from './caching/surrogate-key.ts'
export { openApiDocument, type ApiInfo, type ApiPlace, type OpenApiDocument } from './openapi/openapi-document.ts'
