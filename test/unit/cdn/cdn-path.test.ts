import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { encodeCdnFolder, encodeCdnPath } from '../../../src/cdn/cdn-path.ts'

describe('a path at a CDN', () => {
  test.each([
    ['videos/7/master.m3u8', '/videos/7/master.m3u8'],
    ['/videos/7/', '/videos/7/'],
    ['a b/ä?.mp4', '/a%20b/%C3%A4%3F.mp4'],
    ["~a*b!('c')", '/%7Ea%2Ab%21%28%27c%27%29'],
    ['100%/x#y', '/100%25/x%23y'],
    ['a\\b', '/a%5Cb'],
  ])('%s is encoded as %s', (path, encoded) => {
    expect(encodeCdnPath(path)).toBe(encoded)
  })

  test.each([
    '',
    '/',
    '//a',
    'a//b',
    '.',
    '..',
    'a/../b',
    'a/./b',
    'a/..',
    'a\u0000b',
    'a\nb',
    'a\u007F',
    '\uD800',
    '//evil.example',
  ])('refuses %j', (path) => {
    const encode = (): string => (path === '/' ? encodeCdnFolder(path, undefined) : encodeCdnPath(path))
    expect(encode).toThrow(expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID' }))
  })

  test('whatever it is, comes out of an address as it went in, or not at all', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (path) => {
        let encoded: string
        try {
          encoded = encodeCdnPath(path)
        } catch {
          return
        }
        // A browser changes nothing about it.
        expect(new URL(`https://cdn.example.com${encoded}`).pathname).toBe(encoded)
        expect(decodeURIComponent(encoded)).toBe(path.startsWith('/') ? path : `/${path}`)
        expect(encoded).toMatch(/^[\w./%-]+$/)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('a folder', () => {
  test('is that of the path unless another one around it is named', () => {
    expect(encodeCdnFolder('videos/7/hd/a.m3u8', undefined)).toBe('/videos/7/hd/')
    expect(encodeCdnFolder('videos/7/hd/a.m3u8', 'videos/7')).toBe('/videos/7/')
    expect(encodeCdnFolder('videos/7/hd/a.m3u8', '/videos/7/')).toBe('/videos/7/')
    expect(encodeCdnFolder('videos/7/', undefined)).toBe('/videos/7/')
    expect(encodeCdnFolder('videos/7/manifest.MPD', undefined)).toBe('/videos/7/')
    expect(encodeCdnFolder('videos/7/poster.jpg', 'videos/7')).toBe('/videos/7/')
  })

  test.each([
    ['a.mp4', undefined],
    ['a.m3u8', undefined],
    ['private/films/zzz', undefined],
    ['private/films/7.m3u8/poster.jpg', undefined],
    ['videos/70/a.mp4', 'videos/7'],
    ['videos/7', 'videos/7/'],
    ['videos/7/a.mp4', '..'],
    ['videos/7/a.mp4', ''],
  ])('refuses %s in %s', (path, folder) => {
    expect(() => encodeCdnFolder(path, folder)).toThrow(expect.objectContaining({ code: 'PLIMSOLL_OPTION_INVALID' }))
  })
})
