import { element } from './element.js'

/** Paper, far, near, ground and mark: one set of inks for each field of four channels. */
const inks = [
  ['#dfe8e4', '#9fbfc0', '#4f8790', '#173f4c', '#e2573a'],
  ['#f3e3c6', '#e2b877', '#bd7d3f', '#5d3420', '#f7f0df'],
  ['#e9e0d1', '#c3a98a', '#8a6a4d', '#3b2f2a', '#d9902f'],
  ['#eddde0', '#cf9aa6', '#8f4f6a', '#3a2140', '#f0c466'],
  ['#e6e3dc', '#b9b4ab', '#7d7c7e', '#33383f', '#d8452e'],
  ['#26345c', '#1c2749', '#141c37', '#0b1022', '#f2e6b8'],
  ['#eef0e6', '#b7c9b0', '#5f8f7b', '#1d4540', '#e76f3c'],
  ['#edf0d8', '#b8c98a', '#6f934f', '#2c4a2c', '#d9553f'],
  ['#f2ead9', '#d8bf98', '#9c6f5c', '#4a2b32', '#33617a'],
  ['#e4ebf2', '#b3c6d9', '#7391b0', '#2f455f', '#e0673f'],
]

const motifs = [waves, hills, rings, strata, facade]
const width = 320
const height = 180

/** The picture of a film: the same id always gives the same one. Decorative, so it has no text alternative. */
export function cover(id, channelId) {
  const random = chanceFrom(id * 7919 + channelId)
  const [paper, ...rest] = inks[Math.floor((channelId - 1) / 4) % inks.length]
  return element(
    'svg',
    { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'xMidYMid slice', 'aria-hidden': 'true', class: 'cover' },
    element('rect', { width, height, fill: paper }),
    motifs[(channelId + id) % motifs.length](random, rest),
  )
}

function chanceFrom(seed) {
  let state = seed | 0 || 1
  return (least, most) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return least + ((Math.imul(state, 0x2545f491) >>> 0) / 2 ** 32) * (most - least)
  }
}

function sun(random, fill, y) {
  return element('circle', { cx: random(50, 270), cy: y, r: random(16, 34), fill })
}

function waves(random, [far, near, ground, mark]) {
  const horizon = random(80, 110)
  const band = (y, swell, fill) => {
    const step = random(36, 60)
    let path = `M-${step} ${y}`
    for (let x = -step; x < width + step; x += step) path += `q${step / 4} -${swell} ${step / 2} 0t${step / 2} 0`
    return element('path', { d: `${path}V${height}H-${step}z`, fill })
  }
  return [
    sun(random, mark, horizon - random(-8, 30)),
    band(horizon, 4, far),
    band(horizon + 24, 8, near),
    band(horizon + 54, 12, ground),
  ]
}

function hills(random, [far, near, ground, mark]) {
  // Curves between the middles of the lines from point to point, so that no summit has a corner.
  const ridge = (y, rise, fill) => {
    const points = Array.from({ length: 7 }, (_, index) => [
      index * 64 - 32,
      y + (index % 2 ? -1 : 0.5) * random(rise / 4, rise),
    ])
    const curves = points
      .slice(1)
      .map(
        ([x, top], index) =>
          `Q${points[index].join(' ')} ${(x + points[index][0]) / 2} ${(top + points[index][1]) / 2}`,
      )
    return element('path', { d: `M-64 ${height}V${y}${curves.join('')}V${height}z`, fill })
  }
  return [sun(random, mark, random(34, 70)), ridge(96, 34, far), ridge(124, 36, near), ridge(152, 24, ground)]
}

function rings(random, [far, near, ground, mark]) {
  const cx = random(90, 230)
  const cy = random(70, 120)
  return [
    ...[150, 118, 90, 64].map((r, index) =>
      element('circle', { cx, cy, r: r + random(-6, 6), fill: [far, near, far, ground][index] }),
    ),
    element('circle', { cx: cx + random(-14, 14), cy: cy + random(-10, 10), r: random(18, 30), fill: mark }),
    element('path', { d: `M0 ${cy}H${width}`, stroke: mark, 'stroke-width': 2 }),
  ]
}

function strata(random, [far, near, ground, mark]) {
  const layers = []
  let y = random(34, 60)
  for (const fill of [far, near, mark, near, ground, far, ground]) {
    const thick = fill === mark ? 7 : random(14, 34)
    layers.push(element('path', { d: `M0 ${y}L${width} ${y + random(-22, 22)}V${height}H0z`, fill }))
    y += thick
  }
  return layers
}

function facade(random, [far, near, ground, mark]) {
  const lit = Math.floor(random(0, 15))
  const windows = Array.from({ length: 15 }, (_, index) =>
    element('rect', {
      x: 78 + (index % 5) * 36,
      y: 46 + Math.floor(index / 5) * 40,
      width: 20,
      height: 26,
      rx: random(0, 10),
      fill: index === lit ? mark : index % 3 === 1 ? near : ground,
    }),
  )
  return [
    element('rect', { x: 56, y: random(20, 32), width: 208, height: 170, fill: far }),
    ...windows,
    element('rect', { y: 166, width, height: 14, fill: ground }),
  ]
}
