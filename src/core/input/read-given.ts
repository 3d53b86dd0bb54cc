import { types } from 'node:util'
import { StoreError } from '../errors.js'

/**
 * Runs `read`, which reads what a caller gave. A getter or a Proxy in it may throw anything: `toError` makes the error
 * of that.
 */
export function readGiven<T>(read: () => T, toError: (cause: Error | undefined) => StoreError): T {
  try {
    return read()
  } catch (error) {
    if (!types.isNativeError(error)) throw toError(undefined)
    throw error instanceof StoreError ? error : toError(withoutText(error))
  }
}

/** The place in the caller's code is kept. The text may quote what the caller gave. */
function withoutText(error: Error): Error {
  const bare = new Error('what it throws is not shown, since it may quote a secret')
  bare.stack = `Error: ${bare.message}${framesOf(error)}`
  return bare
}

function framesOf(error: Error): string {
  try {
    return /\n {4}at [\s\S]*/.exec(String(error.stack))?.[0] ?? ''
  } catch {
    return '' // a getter of the error itself throws
  }
}
