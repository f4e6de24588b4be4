import { describe, expect, test } from 'vitest'
import { openCdn } from '../../../../src/cdn/index.ts'
import type { CdnGrantOptions } from '../../../../src/cdn/index.ts'
import { listen, openStore } from './file-service.ts'

const film = { hls: 'private/films/7/x/master.m3u8', dash: 'private/films/7/x/manifest.mpd' }
const key = Buffer.alloc(16, 1).toString('base64url')

interface Answer {
  readonly status: number
  readonly body: Record<string, string | null>
  readonly cookies: readonly string[]
  readonly control: string | null
}

/** A service before which a CDN stands, or none; resolves to what it answers with the addresses of `paths`. */
async function answerOf(
  provider: string,
  paths: Readonly<Record<string, string | null>> = film,
  options: CdnGrantOptions = {},
): Promise<Answer> {
  const secrets = { CDN_KEY: key }
  const cdn = openCdn({ url: provider === '' ? '' : `https://cdn.example.com?provider=${provider}`, secrets })
  const store = await openStore()
  const { url } = await listen(
    (fastify) => {
      fastify.downloads(store, '/private/films', { prefix: 'private/films/' })
      fastify.get('/watch', (_request, reply) => reply.grant(paths, { expires: '4h', ...options }))
    },
    { cdn },
  )
  const answer = await fetch(`${url}/watch`)
  return {
    status: answer.status,
    body: (await answer.json()) as Record<string, string | null>,
    cookies: answer.headers.getSetCookie(),
    control: answer.headers.get('cache-control'),
  }
}

describe('addresses that an answer opens', () => {
  test('are paths of the application without a CDN, and with one that opens no folders', async () => {
    for (const provider of ['', 'cloudflare']) {
      const answer = await answerOf(provider)
      expect(answer).toEqual({
        status: 200,
        body: { hls: `/${film.hls}`, dash: `/${film.dash}` },
        cookies: [],
        control: 'private, no-store',
      })
    }
  })

  test('hold a token in their path, of the folder of the film and of no other', async () => {
    const { body, cookies } = await answerOf('nginx', { ...film, poster: 'private/films/7/x/poster.jpg', sprite: null })
    const folder = /^https:\/\/cdn\.example\.com\/private\/films\/7\/x\/~\d+-[\w-]{22}\//
    for (const name of ['hls', 'dash', 'poster']) expect(body[name]).toMatch(folder)
    expect(body['dash']).toMatch(/\/manifest\.mpd$/)
    expect([body['sprite'], cookies]).toEqual([null, []])
  })

  test('are opened by cookies, which are set with their attributes and nowhere in the body', async () => {
    const { body, cookies, control } = await answerOf('google&keyName=k&cookieDomain=.example.com')
    expect(body).toEqual({ hls: `https://cdn.example.com/${film.hls}`, dash: `https://cdn.example.com/${film.dash}` })
    expect(cookies).toHaveLength(1)
    const [value, ...attributes] = cookies[0]!.split('; ')
    expect(value).toMatch(/^Cloud-CDN-Cookie=URLPrefix=/)
    expect(attributes).toEqual([
      'Path=/private/films/7/x/',
      'Domain=.example.com',
      expect.stringMatching(/^Max-Age=1440[01]$/),
      'Secure',
      'HttpOnly',
      'SameSite=None',
    ])
    expect(control).toBe('private, no-store')
  })

  test('of what is not there yet open nothing', async () => {
    const { body, cookies } = await answerOf('google&keyName=k', { hls: null, dash: null })
    expect([body, cookies]).toEqual([{ hls: null, dash: null }, []])
  })

  test.each(['', 'nginx', 'google&keyName=k'])(
    'with the provider %j are refused when they would open more than one film',
    async (provider) => {
      for (const [paths, options] of [
        // All that is served, which nobody has said to be meant.
        [{ hls: 'private/films/zzz.m3u8' }, {}],
        [{ hls: 'private/zzz.m3u8' }, {}],
        // No manifest: what is beside it is not of it.
        [{ hls: 'private/films/7/zzz' }, {}],
        // Of two films.
        [{ hls: film.hls, dash: 'private/films/8/x/manifest.mpd' }, {}],
        [film, { folder: 'private/films/8' }],
        [{ hls: 'private/films/7/../8/master.m3u8' }, {}],
      ] as const) {
        const { status, body, cookies } = await answerOf(provider, paths, options)
        expect([status, cookies], JSON.stringify(paths)).toEqual([500, []])
        expect(JSON.stringify(body)).not.toContain('~')
      }
      expect((await answerOf(provider, { hls: 'private/films/all.m3u8' }, { folder: 'private/films' })).status).toBe(
        200,
      )
    },
  )
})
