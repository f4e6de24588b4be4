import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { html, rawHtml } from '../../../src/jobs/mail/html.ts'

describe('html', () => {
  test('escapes values, and takes HTML of its own as it is', () => {
    const items = ['a', '<b>'].map((item) => html`<li>${item}</li>`)
    const made = html`<ul title="${`"&'`}">
        ${items}${rawHtml('<hr>')}
      </ul>
      ${null}${undefined}${false}${0}${1n}`
    expect(String(made).replace(/\n\s*/g, '')).toBe(
      '<ul title="&quot;&amp;&#39;"><li>a</li><li>&lt;b&gt;</li><hr></ul>01',
    )
    expect(JSON.stringify({ made: html`<p></p>` })).toBe('{"made":"<p></p>"}')
  })

  test('lets no text open a tag or end an attribute', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const made = String(html`<a title="${text}">${text}</a>`)
        const [, attribute, content] = /^<a title="([^"]*)">([^<>]*)<\/a>$/.exec(made)!
        expect(unescape(attribute!)).toBe(text)
        expect(unescape(content!)).toBe(text)
      }),
    )
  })

  test('refuses a value that is an attribute without quotes', () => {
    expect(() => html`<a href=${'x onclick=alert(1)'}>x</a>`).toThrow('put it in double quotes')
    expect(() => html`<a class="${'a'}" href=${'x'}>x</a>`).toThrow('put it in double quotes')
    expect(String(html`<p>1 + 1 = ${2}</p>`)).toBe('<p>1 + 1 = 2</p>')
    expect(String(html`${'<a'} title=${'x'}`)).toBe('&lt;a title=x')
  })
})

function unescape(text: string): string {
  const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', '#39': "'", '#96': '`', amp: '&' }
  return text.replace(/&([^;]+);/g, (_, entity: string) => entities[entity]!)
}
