const units = ['B', 'kB', 'MB', 'GB']

/** 12345678 → `12.3 MB`. */
export function size(bytes) {
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)))
  const value = bytes / 1000 ** power
  return `${value.toFixed(power === 0 || value >= 100 ? 0 : 1)} ${units[power]}`
}
