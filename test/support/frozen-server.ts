import { expect } from 'vitest'
import type { AuthPatch, AuthStore } from '../../src/index.js'

/** Far above any deadline of a test, also on a machine with other work. */
const MAX_MS = 15_000

/** Writes the session through a store whose deadline is short: connecting alone may take longer on a busy machine. */
export async function writeInTime(store: AuthStore, patch: AuthPatch): Promise<void> {
  await expect.poll(() => store.set('s', patch).catch(() => ({}))).toHaveProperty('version')
}

/** With its server frozen, every call of a store ends by its deadline, and none says "absent". */
export async function expectCallsToEnd(store: AuthStore, openHook: () => Promise<unknown>): Promise<void> {
  const calls = [
    () => store.get('s'),
    () => store.getKeys('s', 'session', ['a']),
    () => store.exists('s'),
    () => store.set('s', { keys: { session: { a: 2 } } }),
    () => store.delete('s', 99),
    () => store.claim('s'),
    () => store.list(),
    openHook,
  ]
  for (const call of calls) {
    const startMs = performance.now()
    const error = await call().then(
      () => undefined,
      (failure: { code: string }) => failure,
    )
    expect(['TIMEOUT', 'STORE_UNAVAILABLE']).toContain(error?.code)
    expect(performance.now() - startMs).toBeLessThan(MAX_MS)
  }
  const startMs = performance.now()
  expect(await store.isHealthy()).toBe(false)
  expect(performance.now() - startMs).toBeLessThan(MAX_MS)
}
