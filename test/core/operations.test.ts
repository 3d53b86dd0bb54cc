import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { singleAttempt } from '../../src/core/retry.js'
import { NO_OBSERVER } from '../../src/core/store/observer.js'
import { Operations } from '../../src/core/store/operations.js'
import { catchError } from '../support/catch-error.js'

const DEADLINE_MS = 5000
const operations = new Operations({
  retry: singleAttempt(DEADLINE_MS),
  observer: NO_OBSERVER,
  link: undefined,
  findOwner: async () => undefined,
})
const toLasting = (ms: number) => () => new Promise<string>(resolve => setTimeout(resolve, ms, 'done'))

beforeEach(() => vi.useFakeTimers())
afterEach(() => vi.useRealTimers())

it.each([
  [1000, DEADLINE_MS],
  [1001, 2 * DEADLINE_MS],
  [20_000, 20 * DEADLINE_MS],
])('a call that changes %i fields has %i ms', async (fields, patienceMs) => {
  const inTime = operations.run('set', 's', toLasting(patienceMs - 1), fields)
  const late = catchError('TIMEOUT', () => operations.run('set', 's', toLasting(patienceMs + 1), fields))
  await vi.advanceTimersByTimeAsync(patienceMs + 1)
  expect(await inTime).toBe('done')
  expect(await late).toMatchObject({ timeoutMs: patienceMs })
})
