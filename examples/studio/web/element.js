const svgNames = new Set(['svg', 'g', 'rect', 'circle', 'ellipse', 'path', 'line', 'defs', 'clipPath', 'title'])

/** Makes an element: attributes by name (false and undefined leave one out), then children; a text is never read as HTML. */
export function element(name, attributes = {}, ...children) {
  const node = svgNames.has(name)
    ? document.createElementNS('http://www.w3.org/2000/svg', name)
    : document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value)
    else node.setAttribute(key, value === true ? '' : value)
  }
  node.append(
    ...children.flat().filter((child) => child !== undefined && child !== null && child !== false && child !== ''),
  )
  return node
}
