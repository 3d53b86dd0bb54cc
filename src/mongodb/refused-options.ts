import { InvalidOptionError } from '../core/errors.js'

const SHOWN_NAME = /^[A-Za-z]{1,40}$/

/**
 * The error for a URL or options that the driver refuses. The driver's own text may quote the URL with its password, so
 * only names of options are taken from it.
 */
export function toRefusal(error: unknown, url: string, options: object): InvalidOptionError {
  const { name, message = '' } = error as Error
  const refused = [...namesInQuery(url), ...Object.keys(options)].filter(
    option => SHOWN_NAME.test(option) && new RegExp(`\\b${option}\\b`, 'i').test(message),
  )
  return new InvalidOptionError(`${toReason(refused, message)} (${name})`)
}

function toReason(refused: readonly string[], message: string): string {
  if (refused.length > 0) {
    const names = refused.map(option => `"${option}"`).join(', ')
    return `MongoDB's driver refused ${names} in "mongoUrl" or "mongoOptions": there is no such option, or not with this value`
  }
  if (/port number|service names/.test(message)) {
    return 'A "mongoUrl" that begins with "mongodb+srv://" must have one host and no port'
  }
  return (
    'MongoDB\'s driver refused "mongoUrl" or "mongoOptions". Check hosts and ports; user and password of a URL must be ' +
    'written as encodeURIComponent writes them'
  )
}

/** Empty if a "?" in the password has cut the URL in two: what follows is no query. */
function namesInQuery(url: string): string[] {
  const query = url.slice(url.indexOf('?') + 1)
  if (query === url || query.includes('@')) return []
  return query.split('&').map(pair => pair.split('=')[0] ?? '')
}
