import { PlimsollError } from './errors.ts'

/**
 * Imports an optional peer when its feature is used.
 *
 * @throws PLIMSOLL_PEER_MISSING naming the package to install and what asked for it.
 */
export async function importPeer<T>(packageName: string, neededFor: string): Promise<T> {
  try {
    return (await import(packageName)) as T
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new PlimsollError(
      'PLIMSOLL_PEER_MISSING',
      `${neededFor} needs the package '${packageName}', which is not installed. Run: npm install ${packageName}`,
      { cause: error, details: { package: packageName } },
    )
  }
}
