export { uploadFile } from './upload-file.ts'
export type { FileUpload, UploadedFile, UploadFileOptions, UploadProgress } from './upload-file.ts'
export { UploadError } from './retry.ts'
