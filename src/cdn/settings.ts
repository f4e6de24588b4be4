import { parseDuration, type Duration } from '../core/duration.ts'
import { listNames, PlimsollError, showValue } from '../core/errors.ts'
import { redactUrl } from '../core/redact.ts'

/** Where the settings of a CDN come from. */
export interface SettingsSource {
  /** The whole URL, for messages. */
  readonly url: string
  readonly parameters: URLSearchParams
  /** Secrets by their names, given as options; what is not among them is looked for in `environment`. */
  readonly secrets: Readonly<Record<string, string | undefined>>
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** Reads the parameters of a CDN's URL and its secrets, and knows in the end which of the former nobody wanted. */
export class CdnSettings {
  readonly #source: SettingsSource
  readonly #read = new Set<string>(['provider'])

  constructor(source: SettingsSource) {
    this.#source = source
  }

  /** A parameter; undefined when it is not there, or empty. */
  text(name: string): string | undefined {
    this.#read.add(name)
    return this.#source.parameters.get(name) || undefined
  }

  /** A parameter that is `true` or `false`. @throws PLIMSOLL_OPTION_INVALID */
  flag(name: string, otherwise: boolean): boolean {
    return this.choice(name, ['true', 'false'], otherwise ? 'true' : 'false') === 'true'
  }

  /** A parameter that is one of a few. @throws PLIMSOLL_OPTION_INVALID */
  choice<T extends string>(name: string, choices: readonly T[], otherwise: T): T {
    const value = this.text(name) ?? otherwise
    const found = choices.find((choice) => choice === value)
    if (found === undefined) throw this.invalid(`${name} is ${showValue(value)}; it can be ${listNames(choices)}`)
    return found
  }

  /** A parameter that is a duration, in milliseconds. @throws PLIMSOLL_OPTION_INVALID */
  duration(name: string, otherwise: Duration): number {
    return parseDuration((this.text(name) as Duration | undefined) ?? otherwise, `CDN_URL: ${name}`)
  }

  /** A parameter that lists addresses of servers, separated by commas, without a slash at the end. @throws PLIMSOLL_OPTION_INVALID */
  servers(name: string): readonly string[] {
    return (this.text(name) ?? '')
      .split(',')
      .flatMap((text) => (text.trim() === '' ? [] : [this.#server(name, text.trim())]))
  }

  /** The address of a provider's API, or of a gateway before it: the parameter `api`. @throws PLIMSOLL_OPTION_INVALID */
  api(otherwise: string): string {
    return this.servers('api')[0] ?? otherwise
  }

  /** A secret: an option, or a variable of the environment of the same name. */
  secret(name: string): string | undefined {
    return this.#source.secrets[name] || this.#source.environment[name] || undefined
  }

  /**
   * What one ability needs: undefined when nothing of it is there; all of it, when all is.
   *
   * @throws PLIMSOLL_OPTION_INVALID when some of it is missing
   */
  together<N extends string>(
    ability: string,
    parts: Readonly<Record<N, string | undefined>>,
  ): Record<N, string> | undefined {
    const names = Object.keys(parts) as N[]
    const missing = names.filter((name) => parts[name] === undefined)
    if (missing.length === names.length) return undefined
    if (missing.length === 0) return parts as Record<N, string>
    throw this.invalid(`to ${ability} it needs ${listNames(missing)} too`)
  }

  /** An error that names the setting; of the URL it shows what is no secret. */
  invalid(what: string, cause?: unknown): PlimsollError {
    return new PlimsollError(
      'PLIMSOLL_OPTION_INVALID',
      `CDN_URL is '${this.#shownUrl()}'; ${what}. Secrets are variables of the environment, or the option 'secrets'.`,
      { details: { option: 'cdn' }, ...(cause !== undefined && { cause }) },
    )
  }

  /** @throws PLIMSOLL_OPTION_INVALID for parameters that nobody has read */
  checkAllRead(): void {
    const unknown = [...new Set(this.#source.parameters.keys())].filter((name) => !this.#read.has(name))
    if (unknown.length === 0) return
    throw this.invalid(`${listNames(unknown)} is unknown here; there are ${listNames(this.#read)}`)
  }

  /** What nobody has asked for may be a secret in the wrong place. */
  #shownUrl(): string {
    const { url, parameters } = this.#source
    const shown = [...parameters].map(([name, value]) => `${name}=${this.#read.has(name) ? value : '***'}`)
    return redactUrl(`${url.replace(/\?.*$/s, '')}?${shown.join('&')}`)
  }

  #server(name: string, text: string): string {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (
      url === undefined ||
      !/^https?:$/.test(url.protocol) ||
      url.username !== '' ||
      url.search !== '' ||
      url.hash !== ''
    )
      throw this.invalid(`${name} names ${showValue(redactUrl(text))}; give addresses such as http://10.0.0.5:6081`)
    return url.origin + url.pathname.replace(/\/+$/, '')
  }
}
