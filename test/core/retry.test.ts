import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { CorruptValueError, FencedError, StoreUnavailableError } from '../../src/core/errors.js'
import { type RetryPolicy, withRetry } from '../../src/core/retry.js'
import { catchError } from '../support/catch-error.js'

/** Like the timers of Node, but on fake timers. */
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number) => new Promise(resolve => setTimeout(resolve, ms)),
}))

const QUICK: RetryPolicy = { timeoutMs: 5000, maxRetries: 3, baseDelayMs: 1, multiplier: 1 }
const ATTEMPT = { operation: 'getKeys', sessionId: 'bot' }
const unavailable = (reason = 'gone') => new StoreUnavailableError('The test', reason)

/** An action that fails with each of these in turn, and then succeeds. */
function failing(...errors: unknown[]) {
  let calls = 0
  const action = async () => {
    const error = errors[calls++]
    if (error !== undefined) throw error
    return 'done'
  }
  return { action, calls: () => calls }
}

describe('withRetry', () => {
  it('calls an action that succeeds once', async () => {
    const { action, calls } = failing()
    expect(await withRetry(QUICK, ATTEMPT, action)).toBe('done')
    expect(calls()).toBe(1)
  })

  it('repeats an action that found the store unavailable', async () => {
    const { action, calls } = failing(unavailable(), unavailable(), unavailable())
    expect(await withRetry(QUICK, ATTEMPT, action)).toBe('done')
    expect(calls()).toBe(4)
  })

  it('gives up after maxRetries and throws the first error, which says since when the store is away', async () => {
    const first = unavailable('first')
    const { action, calls } = failing(first, unavailable('second'), unavailable('third'))
    const policy = { ...QUICK, maxRetries: 2 }
    const attempt = { operation: 'getKeys' }
    expect(await catchError('STORE_UNAVAILABLE', () => withRetry(policy, attempt, action))).toBe(first)
    expect(calls()).toBe(3)
  })

  it('tells at the deadline why an earlier attempt failed, if the link does not know', async () => {
    const cause = new Error('the socket')
    const first = new StoreUnavailableError('The test', 'no server is of the set.', { cause, address: 'a:1' })
    const action = vi.fn(() => new Promise<never>(() => {})).mockRejectedValueOnce(first)
    const link = { situation: 'The test at a:1 has not answered', cause: undefined }
    const policy = { ...QUICK, timeoutMs: 20 }
    const error = await catchError('TIMEOUT', () => withRetry(policy, { ...ATTEMPT, link }, action))
    expect(error.message).toContain(
      'within 20 ms: The test at a:1: no server is of the set. Once that is fixed, repeat the call.',
    )
    expect(error).toMatchObject({ cause, sessionId: 'bot' })
  })

  it('adds the session to the error', async () => {
    const cause = new Error('the socket')
    const first = new StoreUnavailableError('The test', 'gone.', { cause })
    const { action } = failing(first)
    const policy = { ...QUICK, maxRetries: 0 }
    const error = await catchError('STORE_UNAVAILABLE', () => withRetry(policy, ATTEMPT, action))
    expect(error).toMatchObject({ sessionId: 'bot', store: 'The test', since: first.since, cause })
    expect(error.message).toBe('The test is unavailable: gone. (session "bot")')
  })

  it('does not repeat with maxRetries 0', async () => {
    const { action, calls } = failing(unavailable())
    const policy = { ...QUICK, maxRetries: 0 }
    await catchError('STORE_UNAVAILABLE', () => withRetry(policy, ATTEMPT, action))
    expect(calls()).toBe(1)
  })

  it.each([
    ['a refusal', new FencedError(1, 2, {})],
    ['a corrupt value', new CorruptValueError('No.')],
    ['a bug', new TypeError('bug')],
  ])('does not repeat %s', async (_what, error) => {
    const { action, calls } = failing(error)
    await expect(withRetry(QUICK, ATTEMPT, action)).rejects.toBe(error)
    expect(calls()).toBe(1)
  })

  it('stops at an error that must not be repeated, even after others', async () => {
    const error = new FencedError(1, 2, {})
    const { action, calls } = failing(unavailable(), error)
    await expect(withRetry(QUICK, ATTEMPT, action)).rejects.toBe(error)
    expect(calls()).toBe(2)
  })

  it('decides by the code of an error, not by its class, which differs between builds of the library', async () => {
    const foreign = Object.assign(new Error('gone'), { code: 'STORE_UNAVAILABLE' })
    const { action, calls } = failing(foreign)
    expect(await withRetry(QUICK, ATTEMPT, action)).toBe('done')
    expect(calls()).toBe(2)
  })

  it('treats an action that throws at once like one that rejects', async () => {
    const error = new TypeError('at once')
    const action = () => {
      throw error
    }
    await expect(withRetry(QUICK, ATTEMPT, action)).rejects.toBe(error)
  })

  it('does not count time in which the process was too busy to take the answer', async () => {
    const policy = { ...QUICK, timeoutMs: 100, maxRetries: 0 }
    const answer = () =>
      new Promise(resolve => setTimeout(() => setImmediate(() => setImmediate(resolve, 'done')), 10))
    const call = withRetry(policy, ATTEMPT, answer)
    for (const endMs = performance.now() + 300; performance.now() < endMs; );
    expect(await call).toBe('done')
  })

  it('lets a call run under the longest timeout that can be given', async () => {
    const policy = { ...QUICK, timeoutMs: Number.MAX_SAFE_INTEGER, maxRetries: 0 }
    const slow = () => new Promise(resolve => setTimeout(resolve, 20, 'done'))
    expect(await withRetry(policy, ATTEMPT, slow)).toBe('done')
  })
})

describe('the deadline', () => {
  const random = vi.spyOn(Math, 'random')

  beforeEach(() => {
    vi.useFakeTimers()
    random.mockReturnValue(1) // the longest wait
  })

  afterEach(() => {
    vi.useRealTimers()
    random.mockReset()
  })

  it('ends an action that never ends, with TIMEOUT', async () => {
    const policy = { ...QUICK, timeoutMs: 700 }
    let isOver = false
    const ended = catchError('TIMEOUT', () => withRetry(policy, ATTEMPT, () => new Promise(() => {})))
    ended.then(() => {
      isOver = true
    })
    await vi.advanceTimersByTimeAsync(698)
    expect(isOver).toBe(false)
    await vi.advanceTimersByTimeAsync(5)
    const error = await ended
    expect(error).toMatchObject({ operation: 'getKeys', timeoutMs: 700, sessionId: 'bot' })
    expect(error.message).toBe(
      '"getKeys" did not end within 700 ms. Repeat the call, or raise "resilience.operationTimeout". (session "bot")',
    )
  })

  it('adds to the error that a write may have been applied, and what is known of the server', async () => {
    const policy = { ...QUICK, timeoutMs: 700 }
    const link = { situation: 'Redis at host:6379 has not answered', cause: new Error('refused') }
    const attempt = { ...ATTEMPT, operation: 'set', link }
    const ended = catchError('TIMEOUT', () => withRetry(policy, attempt, () => new Promise(() => {})))
    await vi.advanceTimersByTimeAsync(703)
    const { message, cause } = await ended
    expect(message).toContain(
      'within 700 ms: Redis at host:6379 has not answered. Once that is fixed, repeat the call. A write may or may not have',
    )
    expect(cause).toBe(link.cause)
  })

  it('is one for all attempts and waits: no wait begins that would outlast it', async () => {
    const policy = { timeoutMs: 1000, maxRetries: 10, baseDelayMs: 300, multiplier: 2 }
    const { action, calls } = failing(...Array.from({ length: 10 }, () => unavailable()))
    const ended = catchError('STORE_UNAVAILABLE', () => withRetry(policy, ATTEMPT, action))
    await vi.advanceTimersByTimeAsync(1000)
    await ended
    expect(calls()).toBe(3) // at 0, 300 and 900 ms; the next wait would end at 2,100
  })

  it('leaves a later attempt the remaining time', async () => {
    const policy = { timeoutMs: 1000, maxRetries: 3, baseDelayMs: 400, multiplier: 1 }
    let calls = 0
    const action = () => (++calls === 1 ? Promise.reject(unavailable()) : new Promise(() => {}))
    const ended = withRetry(policy, ATTEMPT, action).catch((error: Error) => error)
    let isOver = false
    ended.then(() => {
      isOver = true
    })
    await vi.advanceTimersByTimeAsync(998)
    expect([calls, isOver]).toEqual([2, false])
    await vi.advanceTimersByTimeAsync(5)
    expect(isOver).toBe(true)
    expect(await ended).toMatchObject({ code: 'TIMEOUT' }) // the attempt that was cut off may have been applied
  })

  it('allows for waits with full jitter that grow by the multiplier', async () => {
    random.mockReturnValue(0.5)
    const policy = { timeoutMs: 10_000, maxRetries: 2, baseDelayMs: 100, multiplier: 3 }
    const { action, calls } = failing(unavailable(), unavailable())
    const ended = withRetry(policy, ATTEMPT, action)
    await vi.advanceTimersByTimeAsync(49)
    expect(calls()).toBe(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(calls()).toBe(2)
    await vi.advanceTimersByTimeAsync(149)
    expect(calls()).toBe(2)
    await vi.advanceTimersByTimeAsync(1)
    expect(await ended).toBe('done')
  })

  it('leaves no timer behind after a success', async () => {
    await withRetry(QUICK, ATTEMPT, async () => 'done')
    expect(vi.getTimerCount()).toBe(0)
  })
})
