import { hash } from 'node:crypto'

/** A server's place among others. */
export interface KetamaServer {
  /** `host:port`; what its points are made from, so that it must be spelled the same everywhere. */
  readonly name: string
  /** Its share in proportion to the others'. Default 1. */
  readonly weight?: number | undefined
}

// Each server of weight 1 has 40 hashes of 4 points each.
const hashesPerServer = 40

/**
 * Makes the function that says which server has a key: consistent hashing over a circle of points, so that one server more
 * moves only the keys that it takes. Points and keys are hashed as libketama does (md5 of `host:port-N`, 4 points a digest,
 * little-endian). A server that is down keeps its keys: to hash them elsewhere would bring old values back when it returns.
 */
export function createKetama(servers: readonly KetamaServer[]): (key: string) => number {
  if (servers.length === 1) return () => 0
  const points = circleOf(servers)
  const at = Float64Array.from(points, ({ point }) => point)
  const owners = Uint16Array.from(points, ({ owner }) => owner)
  return (key) => {
    const wanted = digest(key).readUInt32LE(0)
    let low = 0
    let high = at.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (at[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return owners[low === at.length ? 0 : low]!
  }
}

function circleOf(servers: readonly KetamaServer[]): { readonly point: number; readonly owner: number }[] {
  const total = servers.reduce((sum, { weight = 1 }) => sum + weight, 0)
  return servers
    .flatMap(({ name, weight = 1 }, owner) => {
      // libketama reckons the share in single precision, and so must we, to come to the same number of points.
      const hashes = Math.floor(Math.fround(Math.fround(weight / total) * hashesPerServer * servers.length))
      return Array.from({ length: hashes }, (_, n) => digest(`${name}-${n}`)).flatMap((bytes) =>
        [0, 4, 8, 12].map((offset) => ({ point: bytes.readUInt32LE(offset), owner })),
      )
    })
    .toSorted((a, b) => a.point - b.point)
}

function digest(text: string): Buffer {
  return hash('md5', text, 'buffer')
}
