import type { BatchResult } from '../auth-store.js'
import { InvalidOptionError, StoreError } from '../errors.js'

/** Runs `action` for all inputs at once; each succeeds or fails on its own. */
export function settleEach<I, T>(
  inputs: readonly I[],
  nameOf: (input: I) => string,
  action: (input: I) => Promise<T>,
): Promise<BatchResult<T>[]> {
  return Promise.all(
    Array.from(inputs, async input => {
      let sessionId = ''
      try {
        sessionId = nameOf(input)
        return { sessionId, value: await action(input) }
      } catch (error) {
        return { sessionId, error: toStoreError(error) }
      }
    }),
  )
}

/** Any other error comes from a getter of the input. */
function toStoreError(error: unknown): Error {
  if (error instanceof StoreError) return error
  return new InvalidOptionError('A member of the input throws when it is read.', { cause: error })
}
