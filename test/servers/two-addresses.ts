import type { LookupAddress, LookupOptions } from 'node:dns'

/** What `dns.lookup` says of `localhost` on machines that have it at two addresses. */
export function twoAddresses(
  _: string,
  { all }: LookupOptions,
  tell: (error: null, found: string | LookupAddress[], family?: number) => void,
): void {
  const found = ['127.0.0.2', '127.0.0.1'].map((address) => ({ address, family: 4 }))
  if (all) tell(null, found)
  else tell(null, found[0]!.address, 4)
}
