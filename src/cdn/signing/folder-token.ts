/**
 * A path with a token behind the folder that it opens: `/videos/7/~TOKEN/hd/master.m3u8`. Relative addresses inherit it, and the
 * edge takes it out again; a `~` in a name of ours is encoded, so that no file looks like a token.
 */
export function folderToken({
  path,
  folder,
  token,
}: {
  readonly path: string
  /** With slashes at both ends; the path begins with it. */
  readonly folder: string
  readonly token: string
}): string {
  return `${folder}~${token}/${path.slice(folder.length)}`
}
