/** Five digits or more, of any script, also as phone numbers and names of sessions have them: with signs in between. */
const NUMBER = /\p{Nd}(?:[^\p{L}\p{Nd}]{0,3}\p{Nd}){4,}/gu

/**
 * The name of a session as messages and logs may show it: of a number of five digits or more the last two are left.
 * `tenant-15550001234` is shown as `tenant-…34`.
 */
export function maskSessionId(sessionId: string): string {
  const masked = maskText(sessionId)
  return masked.length > 64 ? `${masked.slice(0, 60)}…` : masked
}

/** User and password of a URL. */
const CREDENTIALS = /(?<=:\/\/)[^\s/?#]*@/g

/** A text of somebody else's, which may quote the name of a session, or a URL. */
export function maskText(text: string): string {
  return text.replace(CREDENTIALS, '').replace(NUMBER, number => `…${lastDigits(number)}`)
}

function lastDigits(number: string): string {
  return [...number.replace(/\P{Nd}/gu, '')].slice(-2).join('')
}
