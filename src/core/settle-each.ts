import type { BatchResult } from './store.js'

/** Runs `action` for all at once; each succeeds or fails on its own. */
export function settleEach<I, T>(
  inputs: readonly I[],
  nameOf: (input: I) => string,
  action: (input: I) => Promise<T>,
): Promise<BatchResult<T>[]> {
  return Promise.all(
    inputs.map(async input => {
      const sessionId = nameOf(input)
      try {
        return { sessionId, value: await action(input) }
      } catch (error) {
        return { sessionId, error: error as Error }
      }
    }),
  )
}
