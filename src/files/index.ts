export { openFiles } from './files.ts'
export type { AddressedFiles, Files, FileUrlOptions, OpenFilesOptions } from './files.ts'
export { Crc32c } from './crc32c.ts'
export { checkKey, isKey } from './object-key.ts'
export type {
  Checksums,
  CopyOptions,
  CreateUploadOptions,
  DirectAccess,
  FileBody,
  FileStore,
  FileStoreFeatures,
  GetOptions,
  ListOptions,
  MultipartUploads,
  ObjectFacts,
  ObjectPage,
  OpenObject,
  PartOptions,
  PutOptions,
  SignedForm,
  SignedRequest,
  SignGetOptions,
  SignPartOptions,
  SignPostOptions,
  SignPutOptions,
  StoredObject,
  StoredPart,
  UploadRef,
  WrittenObject,
} from './contract.ts'
export { checkWebVtt } from './video/captions.ts'
export type { CaptionInput, VideoInput, VideoOptions, VideoPackage } from './video/types.ts'
export { Uploads } from './uploads/open-uploads.ts'
export type { StoredUpload, UploadParts, WantedUpload } from './uploads/types.ts'
export type { ImageLimits } from './images/image-limits.ts'
export type { ImageFormat, ImageVariant } from './images/image-variant.ts'
export type { StoredVariant } from './images/make-variants.ts'
export { writeCsv, type CsvOptions } from './sheets/csv.ts'
export type { SheetColumn, SheetColumnType } from './sheets/sheet.ts'
export { writeXlsx, type XlsxOptions } from './sheets/xlsx/xlsx.ts'
