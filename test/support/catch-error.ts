import { StoreError, type StoreErrorCode } from '../../src/core/errors.js'

/** What `action` throws or rejects with, which must be a `StoreError` with this code. */
export async function catchError(code: StoreErrorCode, action: () => unknown): Promise<StoreError> {
  let outcome: unknown
  try {
    outcome = await action()
  } catch (error) {
    if (error instanceof StoreError && error.code === code) return error
    throw new Error(`expected a StoreError with code ${code}`, { cause: error })
  }
  throw new Error(`expected ${code}, got a ${typeof outcome}`)
}

/** The same for what is synchronous, where thousands of calls would make awaiting slow. */
export function catchErrorSync(action: () => unknown): StoreError {
  try {
    action()
  } catch (error) {
    if (error instanceof StoreError) return error
    throw new Error('expected a StoreError', { cause: error })
  }
  throw new Error('expected a StoreError, and nothing was thrown')
}
