import type { BatchResult } from '../auth-store.js'
import { InvalidOptionError } from '../errors.js'
import { readGiven } from '../input/read-given.js'

/** Most calls of a batch under way: each has its own deadline, which a long queue before it would use up. */
const MAX_AT_ONCE = 1000

/** Runs `action` for all inputs, up to 1,000 at once; each succeeds or fails on its own. */
export async function settleEach<I, T>(
  inputs: readonly I[],
  nameOf: (input: I) => string,
  action: (input: I) => Promise<T>,
): Promise<BatchResult<T>[]> {
  const results: BatchResult<T>[] = new Array(inputs.length)
  const rest = inputs.entries()
  const work = async () => {
    for (const [index, input] of rest) results[index] = await settle(input, nameOf, action)
  }
  await Promise.all(Array.from({ length: Math.min(inputs.length, MAX_AT_ONCE) }, work))
  return results
}

async function settle<I, T>(
  input: I,
  nameOf: (input: I) => string,
  action: (input: I) => Promise<T>,
): Promise<BatchResult<T>> {
  let sessionId = ''
  try {
    sessionId = readGiven(
      () => nameOf(input),
      cause => new InvalidOptionError('A member of the list throws when it is read.', { cause }),
    )
    return { sessionId, value: await action(input) }
  } catch (error) {
    return { sessionId, error: error as Error }
  }
}
