/**
 * Five digits or more, of any script, with up to three other signs between them, as in phone numbers and session names.
 */
const NUMBER = /\p{Nd}(?:[^\p{L}\p{Nd}]{0,3}\p{Nd}){4,}/gu

/** Would break a line of a log. The name of a deleted session's copy begins with one. */
const CONTROLS = /\p{Cc}/gu

/**
 * The name of a session for messages and logs: of a number of five digits or more, only the last two stay.
 * `tenant-15550001234` becomes `tenant-…34`.
 */
export function maskSessionId(sessionId: string): string {
  const masked = maskText(sessionId.replace(CONTROLS, ''))
  return masked.length > 64 ? `${masked.slice(0, 60)}…` : masked
}

/** User and password in a URL. */
const CREDENTIALS = /(?<=:\/\/)[^\s/?#]*@/g

/** An address of IPv4, with or without a port. */
const ADDRESS = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$|:)|(?=$|:))){4}(?::\d{1,5})?$/

/** Masks a foreign text, which may quote a session's name or a URL. */
export function maskText(text: string): string {
  return text
    .replace(CREDENTIALS, '')
    .replace(NUMBER, number => (ADDRESS.test(number) ? number : `…${lastDigits(number)}`))
}

function lastDigits(number: string): string {
  return [...number.replace(/\P{Nd}/gu, '')].slice(-2).join('')
}
