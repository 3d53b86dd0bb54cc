import { MissingDependencyError } from '../errors.js'
import type { AuthenticationCreds } from './auth-types.js'

/** What the library uses of Baileys. */
interface Baileys {
  initAuthCreds(): AuthenticationCreds
  proto: { Message: { AppStateSyncKeyData: { fromObject(object: object): object } } }
}

/** Loads either package: both hold the same code. */
export async function loadBaileys(): Promise<Baileys> {
  try {
    return (await import('@whiskeysockets/baileys')) as unknown as Baileys
  } catch (cause) {
    if (!isMissing(cause)) throw cause
  }
  try {
    return (await import('baileys')) as unknown as Baileys
  } catch (cause) {
    if (!isMissing(cause)) throw cause
    throw new MissingDependencyError('@whiskeysockets/baileys', 'An auth state', cause)
  }
}

/** `ERR_MODULE_NOT_FOUND` from `import()`, `MODULE_NOT_FOUND` if a bundler has turned it into a `require()`. */
function isMissing(error: unknown): boolean {
  return /MODULE_NOT_FOUND/.test(String((error as { code?: unknown }).code))
}
