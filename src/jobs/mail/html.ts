import { PlimsollError } from '../../core/errors.ts'

/** HTML that is safe to send as it is: what {@link html} makes. */
export class Html {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }

  toJSON(): string {
    return this.#text
  }
}

/** What may stand in a template: HTML as it is, everything else escaped; nothing for null, undefined and false; lists one by one. */
export type HtmlValue = Html | string | number | bigint | boolean | null | undefined | readonly HtmlValue[]

/**
 * HTML with its values escaped. A value in an attribute has to stand in quotes.
 *
 * @throws PLIMSOLL_OPTION_INVALID for a value that is an attribute's without quotes
 * @example
 * html`<p>Dear ${name},</p> <ul>${items.map((item) => html`<li>${item}</li>`)}</ul>`
 */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let text = strings[0]!
  for (const [i, value] of values.entries()) {
    // What goes before it in the template itself: a value cannot open a tag.
    const before = strings.slice(0, i + 1).join('')
    if (/<[^<>]*=\s*$/.test(before.slice(before.lastIndexOf('<')))) {
      throw new PlimsollError(
        'PLIMSOLL_OPTION_INVALID',
        `A value in html\`…\` stands in an attribute without quotes, after ${before.slice(-30).trim()}; put it in double quotes.`,
        { details: { option: 'html' } },
      )
    }
    text += spell(value) + strings[i + 1]!
  }
  return new Html(text)
}

/** Takes a text as HTML as it is. It must not hold anything that others have written. */
export function rawHtml(text: string): Html {
  return new Html(text)
}

function spell(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return ''
  if (value instanceof Html) return value.toString()
  if (Array.isArray(value)) return (value as readonly HtmlValue[]).map(spell).join('')
  return String(value).replace(/[&<>"'`]/g, (character) => entities[character]!)
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
}
