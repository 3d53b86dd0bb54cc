import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { InvalidOptionError, StoreUnavailableError } from '../../src/core/errors.js'
import { NO_METRICS } from '../../src/core/metrics.js'
import { Breaker, type BreakerOptions } from '../../src/hybrid/breaker/breaker.js'

const TIMEOUT_MS = 2000
const RESET_MS = 30_000
const fails = () => Promise.reject(new StoreUnavailableError('MongoDB', 'it is down.'))
const works = async () => 'answer'
const hangs = () => new Promise<string>(() => {})

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  })
})
afterEach(() => void vi.useRealTimers())

function setUp(options: Pick<BreakerOptions, 'isConnecting' | 'isLastResort'> = {}) {
  const breaker = new Breaker({
    store: 'MongoDB',
    layer: 'mongodb',
    openGauge: 'mongo_breakers_open',
    metrics: NO_METRICS,
    timeoutMs: TIMEOUT_MS,
    resetMs: RESET_MS,
    windowMs: 10_000,
    ...options,
  })
  onTestFinished(() => breaker.close())
  const fail = () => expect(breaker.run(fails)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  return { breaker, fail }
}

describe('the breaker', () => {
  test('opens after four failures in a row, however many calls have succeeded before', async () => {
    const { breaker, fail } = setUp()
    for (let n = 0; n < 100; n++) await breaker.run(works)
    for (let n = 0; n < 3; n++) await fail()
    expect(breaker.isOpen).toBe(false)
    await fail()
    expect(breaker.isOpen).toBe(true)
    const call = vi.fn(works)
    await expect(breaker.run(call)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(call).not.toHaveBeenCalled()
  })

  test('reports since when the store has been failing, even while it sends the store nothing', async () => {
    const { breaker } = setUp()
    const since = async (call: () => Promise<string>) => {
      const failing = breaker.run(call).catch(error => error.since)
      await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
      return failing
    }
    await since(fails)
    await breaker.run(works)
    const firstMs = Date.now()
    expect(await since(fails)).toEqual(new Date(firstMs))
    for (let n = 0; n < 3; n++) expect(await since(hangs)).toEqual(new Date(firstMs))
    expect(breaker.isOpen).toBe(true)
    expect(await since(works)).toEqual(new Date(firstMs))
  })

  test('stays closed when one lost connection fails many calls at once', async () => {
    const { breaker, fail } = setUp()
    for (let n = 0; n < 100; n++) await breaker.run(works)
    await Promise.all(Array.from({ length: 50 }, fail))
    expect(breaker.isOpen).toBe(false)
  })

  test('opens when more than half of the calls in its window have failed', async () => {
    const { breaker, fail } = setUp()
    for (let n = 0; n < 4; n++) await breaker.run(works)
    await Promise.all(Array.from({ length: 4 }, fail))
    expect(breaker.isOpen).toBe(false)
    await fail()
    expect(breaker.isOpen).toBe(true)
  })

  test('gives a trial call the full time while it is open, however many calls have failed', async () => {
    const { breaker, fail } = setUp({ isLastResort: () => true })
    for (let n = 0; n < 4; n++) await fail()
    expect(breaker.isOpen).toBe(true)
    for (let n = 0; n < 12; n++) await fail()
    const slow = breaker.run(() => new Promise(resolve => setTimeout(resolve, 200, 'answer')))
    await vi.advanceTimersByTimeAsync(200)
    expect(await slow).toBe('answer')
    expect(breaker.isOpen).toBe(false)
  })

  test('tells the longest time that it has waited in this outage, though later calls wait less', async () => {
    const { breaker } = setUp()
    for (let n = 0; n < 20; n++) await breaker.run(works)
    const messageOf = async () => {
      const call = breaker.run(hangs).catch(error => error.message)
      await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
      return call
    }
    for (let n = 0; n < 3; n++) expect(await messageOf()).toContain(`not answered within ${TIMEOUT_MS} ms`)
    await breaker.run(works)
    const call = expect(breaker.run(hangs, 500)).rejects.toThrow('not answered within 500 ms')
    await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
    await call
  })

  test('halves its timeout after each failure, and restores it once a call has succeeded', async () => {
    const { breaker } = setUp()
    for (let n = 0; n < 20; n++) await breaker.run(works)
    const waited = async () => {
      const beganMs = performance.now()
      const call = breaker.run(hangs).catch(() => performance.now() - beganMs)
      await vi.advanceTimersByTimeAsync(TIMEOUT_MS)
      return call
    }
    expect([await waited(), await waited(), await waited()]).toEqual([2000, 1000, 500])
    await breaker.run(works)
    expect(await waited()).toBe(2000)
  })

  test('lets a call try after "resetMs", and closes when it succeeds', async () => {
    const { breaker, fail } = setUp()
    for (let n = 0; n < 4; n++) await fail()
    await vi.advanceTimersByTimeAsync(RESET_MS)
    expect(await breaker.run(works)).toBe('answer')
    expect(breaker.isOpen).toBe(false)
    expect(await Promise.all([breaker.run(works), breaker.run(works)])).toEqual(['answer', 'answer'])
  })

  test('lets no call try that would wait for a connection', async () => {
    let isConnecting = true
    const { breaker, fail } = setUp({ isConnecting: () => isConnecting })
    for (let n = 0; n < 4; n++) await fail()
    await vi.advanceTimersByTimeAsync(RESET_MS)
    const call = vi.fn(works)
    await expect(breaker.run(call)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(call).not.toHaveBeenCalled()
    isConnecting = false
    expect(await breaker.run(call)).toBe('answer')
  })

  test('lets one call try at once when no other store can help, and closes when it succeeds', async () => {
    let isLastResort = false
    const { breaker, fail } = setUp({ isLastResort: () => isLastResort })
    for (let n = 0; n < 4; n++) await fail()
    await expect(breaker.run(works)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    isLastResort = true
    await fail()
    expect(breaker.isOpen).toBe(true)
    const [first, second] = await Promise.allSettled([breaker.run(works), breaker.run(works)])
    expect(first).toEqual({ status: 'fulfilled', value: 'answer' })
    expect(second).toMatchObject({ reason: { code: 'STORE_UNAVAILABLE' } })
    expect(breaker.isOpen).toBe(false)
  })

  test('lets an insisting call try at once, and others once it has succeeded', async () => {
    let isConnecting = true
    const { breaker, fail } = setUp({ isConnecting: () => isConnecting })
    for (let n = 0; n < 4; n++) await fail()
    await expect(breaker.insist(works)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    isConnecting = false
    await expect(breaker.run(works)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await expect(breaker.insist(fails)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(breaker.isOpen).toBe(true)
    const [first, second] = await Promise.allSettled([breaker.insist(works), breaker.insist(works)])
    expect(first).toEqual({ status: 'fulfilled', value: 'answer' })
    expect(second).toMatchObject({ reason: { code: 'STORE_UNAVAILABLE' } })
    expect(await breaker.run(works)).toBe('answer')
  })

  test('does not count refusals of the store as failures', async () => {
    const { breaker } = setUp()
    const refuses = () => Promise.reject(new InvalidOptionError('no'))
    for (let n = 0; n < 20; n++)
      await expect(breaker.run(refuses)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect(breaker.isOpen).toBe(false)
  })
})
