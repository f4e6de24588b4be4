import { createRandom } from '../seed/random.ts'

/** Sky, sun, and the waters from far to near. */
const inks = [
  ['#dfe8e4', '#e2573a', '#9fbfc0', '#4f8790', '#173f4c'],
  ['#f3e3c6', '#c9542c', '#e2b877', '#bd7d3f', '#5d3420'],
  ['#26345c', '#f2e6b8', '#1c2749', '#141c37', '#0b1022'],
  ['#eef0e6', '#e76f3c', '#b7c9b0', '#5f8f7b', '#1d4540'],
] as const
const width = 1200
const height = 1600
const steps = 6

/** A poster as SVG: a sun over water. The same seed always gives the same one. */
export function drawPoster(seed: number): string {
  const { integer: between } = createRandom(seed)
  const [sky, sun, ...waters] = inks[seed % inks.length]!
  const horizon = between(620, 900)
  const bands = waters.map((fill, i) => {
    const y = horizon + i * between(170, 230)
    const swell = 30 + i * 25
    const wave = width / steps
    const crests = Array.from({ length: steps + 1 }, () => `q${wave / 4} ${-swell} ${wave / 2} 0t${wave / 2} 0`)
    return `<path d="M${-between(0, wave)} ${y}${crests.join('')}V${height}H${-wave}z" fill="${fill}"/>`
  })
  const disc = `<circle cx="${between(300, 900)}" cy="${horizon - between(-60, 220)}" r="${between(130, 240)}" fill="${sun}"/>`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"><rect width="${width}" height="${height}" fill="${sky}"/>${disc}${bands.join('')}</svg>`
}
