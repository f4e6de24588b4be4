const slots = 16384

/** CRC-16/XMODEM, the polynomial 0x1021: https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/ */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc
})

/** The slot of a key in a cluster: of what stands between its first `{` and the next `}`, if anything does. */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open + 1)
  const bytes = Buffer.from(close > open + 1 ? key.slice(open + 1, close) : key)
  let crc = 0
  for (const byte of bytes) crc = ((crc << 8) ^ table[(crc >> 8) ^ byte]!) & 0xffff
  return crc % slots
}
