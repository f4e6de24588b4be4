export { uploadFile } from './upload-file.ts'
export type { FileUpload, UploadFileOptions, UploadProgress } from './upload-file.ts'
export type { UploadedFile } from './uploaded-file.ts'
export { UploadError } from './retry.ts'
