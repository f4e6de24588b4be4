import type { FastifyReply } from 'fastify'
import { encodeCdnFolder, encodeCdnPath } from '../../cdn/cdn-path.ts'
import type { Cdn, CdnCookie, CdnGrantOptions } from '../../cdn/contract.ts'
import { PlimsollError } from '../../core/errors.ts'

/** Paths by names of your own, such as those of the two manifests of a film; what is null stays so. */
export type GrantedPaths = Readonly<Record<string, string | null | undefined>>

/** Addresses, by the names that their paths had. */
export type GrantedAddresses<Paths extends GrantedPaths> = {
  readonly [Name in keyof Paths]: string | Exclude<Paths[Name], string>
}

/** Where {@link grantAddresses} looks. */
export interface GrantPlaces {
  readonly cdn: Cdn | undefined
  /** The paths that files are served under. */
  readonly areas: readonly string[]
}

/**
 * Opens the folder that files are in to whoever gets the answer: the addresses of the files, and the cookies that open them set with it, where
 * the CDN opens folders by cookies. Where it opens none, or there is none, they are paths of the application, whose `authorize` decides.
 *
 * @throws PLIMSOLL_OPTION_INVALID when the files are not in one folder, and when that is all that is served under a path
 */
export function grantAddresses<Paths extends GrantedPaths>(
  reply: FastifyReply,
  paths: Paths,
  { cdn, areas, ...options }: CdnGrantOptions & GrantPlaces,
): GrantedAddresses<Paths> {
  // Whoever keeps the answer keeps what opens the folder.
  reply.header('cache-control', 'private, no-store')
  const first = Object.values(paths).find((path) => typeof path === 'string')
  if (first === undefined) return { ...paths } as GrantedAddresses<Paths>
  const opened = encodeCdnFolder(first, options.folder)
  if (options.folder === undefined) checkFolder(opened, areas)
  const folder = options.folder ?? first.slice(0, first.lastIndexOf('/') + 1)
  const opens = cdn !== undefined && cdn.features.grants !== false
  let cookies: readonly CdnCookie[] = []
  let expiresAt = 0
  const addressOf = (path: string): string => {
    if (!opens) {
      encodeCdnFolder(path, folder)
      return encodeCdnPath(path)
    }
    const granted = cdn.grant(path, { ...options, folder })
    ;({ cookies, expiresAt } = granted)
    return granted.url
  }
  const addresses = Object.entries(paths).map(
    ([name, path]) => [name, typeof path === 'string' ? addressOf(path) : path] as const,
  )
  for (const cookie of cookies) reply.header('set-cookie', headerOf(cookie, expiresAt))
  return Object.fromEntries(addresses) as GrantedAddresses<Paths>
}

/** A folder that nobody has named is that of one film, not of all of them. */
function checkFolder(opened: string, areas: readonly string[]): void {
  const area = areas.find((one) => `${one}/`.startsWith(opened))
  if (area === undefined) return
  throw new PlimsollError(
    'PLIMSOLL_OPTION_INVALID',
    `The folder '${opened}' is all that is served at '${area}'. Keep what is opened together in a folder of its own, or say 'folder'.`,
    { details: { option: 'folder' } },
  )
}

/** Players fetch from elsewhere than the page is: no browser would send a cookie along that is for the same site alone. */
function headerOf({ name, value, domain, path }: CdnCookie, expiresAt: number): string {
  const seconds = Math.max(0, Math.ceil((expiresAt - Date.now()) / 1000))
  const where = domain === undefined ? '' : `; Domain=${domain}`
  return `${name}=${value}; Path=${path}${where}; Max-Age=${seconds}; Secure; HttpOnly; SameSite=None`
}
