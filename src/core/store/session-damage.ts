import { hasCode, type SessionIncompleteError } from '../errors.js'

/** Whether the error is about what is stored of one session: it is damaged, or a part of it is missing. */
export function isSessionDamage(error: unknown): boolean {
  return hasCode(error, 'CORRUPT_VALUE') || hasCode(error, 'SESSION_INCOMPLETE')
}

/** `undefined`: what was read of the session is damaged, or only parts of it are left. */
export function unlessDamaged<T>(reading: Promise<T>): Promise<T | undefined> {
  return reading.catch(error => {
    if (isSessionDamage(error)) return undefined
    throw error
  })
}

/** Whether an import of the session has not ended, so that there is no session yet. */
export function isUnfinishedImport(error: unknown): boolean {
  return hasCode(error, 'SESSION_INCOMPLETE') && (error as SessionIncompleteError).isUnfinishedImport
}
