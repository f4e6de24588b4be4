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
export type { DownloadOptions } from './files/downloads.ts'
export { fileTag, folderTags } from './files/file-tags.ts'
export type { Images, ImagesOptions, ImageUrlOptions } from './files/images.ts'
export type { GrantedAddresses, GrantedPaths } from './files/grant-addresses.ts'
export type { ZipEntry, ZipOptions } from './files/answer-zip.ts'
export type { NewFile, UploadOptions } from './files/upload-options.ts'
export type { StoredTicket, UploadPartsTicket, UploadTicket } from './files/upload-ticket.ts'
export { contentDisposition, type Disposition } from './files/content-disposition.ts'
export { safeFileName } from './files/file-name.ts'
export { serveAddresses, type ServeAddressOptions } from './files/serve-addresses.ts'
export { signedAddresses, type SignedAddresses, type SignedAddressOptions } from './files/signed-addresses.ts'
export { notFoundHandler } from './not-found.ts'
export { etagOf, matchesEtag } from './etag.ts'
export type { SurrogateKeys } from './caching/surrogate-headers.ts'
export { surrogateKey } from '../schema/index.ts'
export { openApiDocument, type ApiInfo, type ApiPlace, type OpenApiDocument } from './openapi/openapi-document.ts'
