/** What errors show of a value that a caller gave by mistake. It may be a secret or a phone number in a wrong place. */

/** Words like "gzip", and as little as "1h". */
const SHOWN_TEXT = /^(?:[A-Za-z][A-Za-z.-]{0,19}|[\w.-]{0,4})$/
const SCHEME = /^[a-z][a-z\d+.-]*:(?=\/\/)/i
/** Fewer digits than a phone number has. */
const MAX_SHOWN_DIGITS = 6
const SHOWN_NAME = /^(?:[A-Za-z_$][A-Za-z_$-]{0,39}|\d{1,4})$/

export function showText(text: string): string {
  if (SHOWN_TEXT.test(text)) return `"${text}"`
  if (SCHEME.test(text)) return 'a URL'
  return `a text of ${text.length} characters`
}

/** Shows the scheme. `undefined` for a scheme that `expected` names: then something else is wrong with the URL. */
export function showUrl(url: string, expected: string): string | undefined {
  if (url !== url.trim()) return 'one with a space before or behind it'
  const scheme = SCHEME.exec(url)?.[0]
  if (scheme === undefined) return 'a text without a scheme'
  return expected.includes(`${scheme}//`) ? undefined : `one that begins with "${scheme}"`
}

/** Shows short numbers. `undefined` for a value that a schema can describe by its type. */
export function showUnlessText(value: unknown): string | undefined {
  if (typeof value === 'number') return showNumber(value)
  return typeof value === 'bigint' || typeof value === 'symbol' ? `a ${typeof value}` : undefined
}

function showNumber(number: number): string {
  const digits = String(number).replace(/\D/g, '').length
  return digits > MAX_SHOWN_DIGITS ? `a number of ${digits} digits` : String(number)
}

/** Of an option: what stands in the place of a name may be a value. */
export function showName(name: string): string {
  return SHOWN_NAME.test(name) ? name : '…'
}

/** Tells the length. `received`: the schema's name for its type. `undefined` for a list: its elements are the fault. */
export function showSecret(secret: unknown, received: string): string | undefined {
  if (Array.isArray(secret)) return undefined
  if (typeof secret === 'number') return 'a number'
  if (typeof secret !== 'string') return showUnlessText(secret) ?? received
  const isHex = /^[\da-f]*$/i.test(secret)
  const length = `${secret.length} characters${secret.length === 64 && !isHex ? ', not all of them hex' : ''}`
  const space = secret === secret.trim() ? '' : ', with a space or a line break before or behind it'
  return `${length}${space}`
}
