import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Rewind } from '../../../src/index.js'
import { makePairedCreds } from '../../support/baileys-values.js'
import { makeLogger } from '../../support/logger.js'
import type { CreateStoreDatabase } from '../auth-store/harness.js'
import { identityOf, record, setStage } from './harness.js'

const anything = expect.any(String)

export function describeLife(create: CreateStoreDatabase): void {
  test('an open hook keeps its session alive, ten times in each of its lives', async () => {
    const { open, openStore } = await setStage(create)
    const { store, backend } = await openStore({ ttlMs: 100_000 })
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    onTestFinished(() => void vi.useRealTimers())
    const { close } = await open({ store })
    vi.advanceTimersByTime(99_999)
    expect(backend.count('touch')).toBe(9)
    await close()
    vi.advanceTimersByTime(100_000)
    expect(backend.count('touch')).toBe(9)
  })

  test('a session that expired while its owner was cut off comes back whole once the owner reaches the store', async () => {
    const { open, openStore } = await setStage(create)
    const { store, backend } = await openStore({ ttlMs: 1000 })
    const { store: others } = await openStore({ ttlMs: 1000 })
    const { state, saveCreds } = await open({ store })
    await saveCreds()
    await state.keys.set({ session: { a: record('a') } })
    backend.fail('touch')
    backend.fail('commit')
    await expect.poll(() => others.get('s'), { timeout: 20_000 }).toBeNull()
    backend.heal()
    await expect.poll(() => others.exists('s'), { timeout: 20_000 }).toBe(true)
    const { creds, keys } = (await others.get('s'))?.data ?? {}
    expect(identityOf(creds as never)).toBe(identityOf(state.creds))
    expect(keys?.session).toEqual({ a: record('a') })
  })

  test('opening a session that has ended by its ttl logs when it ended', async () => {
    const { open, openStore } = await setStage(create)
    const { logger, lines } = makeLogger()
    const { store } = await openStore({ ttlMs: 1000, logger })
    const first = await open({ store })
    const openedAtMs = Date.now()
    await first.close()
    await expect.poll(() => store.exists('s'), { timeout: 20_000 }).toBe(false)
    const second = await open({ store })
    const ends = lines.filter(([level, , message]) => level === 'warn' && message.includes('ended'))
    expect(ends).toMatchObject([['warn', { sessionId: 's', code: 'BAILEYS_STORE_SESSION_ENDED' }, anything]])
    const { endedAt } = (ends[0]?.[1] ?? {}) as { endedAt: Date }
    expect(Math.abs(endedAt.getTime() - openedAtMs)).toBeLessThan(20_000)
    expect(ends[0]?.[2]).toContain(endedAt.toISOString())
    await second.close()
    await store.delete('s')
    await open({ store })
    expect(lines.filter(([, , message]) => message.includes('ended'))).toHaveLength(1)
  })

  test('a session that came after a deletion is not lost when healing the database fails half-way', async () => {
    const { openStore } = await setStage(async () => {
      const database = await create()
      restoreLater = database.remember
      return database
    })
    const { store, backend } = await openStore()
    const { store: others } = await openStore()
    await store.set('s', { creds: makePairedCreds(), keys: { session: { a: record('old') } } })
    const restore = await restoreLater()
    await store.delete('s')
    const { fencingToken } = await store.claim('s')
    const creds = makePairedCreds()
    await store.set('s', { creds, keys: { session: { b: record('new') } } }, undefined, fencingToken)
    await restore()
    backend.fail('commit')
    await expect(store.get('s')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    backend.heal()
    for (const each of [store, others]) {
      const data = (await each.get('s'))?.data
      expect(identityOf(data?.creds as never)).toBe(identityOf(creds as never))
      expect(data?.keys).toEqual({ session: { b: record('new') } })
    }
  })

  test('a hook saves its creds again when the database has gone back, and reports the rewind', async () => {
    const { open } = await setStage(async () => {
      const database = await create()
      restoreLater = database.remember
      return database
    })
    const rewinds: Rewind[] = []
    const { state, saveCreds, store } = await open({ onRewind: rewind => rewinds.push(rewind) })
    const restore = await restoreLater()
    state.creds.nextPreKeyId = 813
    await saveCreds()
    await state.keys.set({ session: { a: record('a') } })
    await restore()
    expect(await state.keys.get('session', ['a'])).toEqual({ a: record('a') })
    await saveCreds()
    expect((await store.get('s'))?.data.creds).toMatchObject({ nextPreKeyId: 813 })
    expect(rewinds).toMatchObject([{ sessionId: 's', foundVersion: 1, seenVersion: 3, rewrittenFields: 2 }])
  })

  test('creds that the process has only read also come back after a rewind', async () => {
    const database = await create()
    const { open, openStore } = await setStage(async () => database)
    const earlier = await open()
    const restore = await database.remember()
    earlier.state.creds.nextPreKeyId = 813
    await earlier.saveCreds()
    await earlier.close()
    const { state, close } = await open()
    await restore()
    await state.keys.get('session', ['a'])
    await close()
    const { store } = await openStore()
    expect((await store.get('s'))?.data.creds).toMatchObject({ nextPreKeyId: 813 })
  })
  let restoreLater: () => Promise<() => Promise<void>>

  describe('sessions on one store', () => {
    test('do not affect each other, and closing a hook leaves the store open', async () => {
      const { open, openStore } = await setStage(create)
      const { store } = await openStore()
      const one = await open({ store, sessionId: 'a' })
      const other = await open({ store, sessionId: 'a:b' })
      await one.state.keys.set({ session: { x: record('one') } })
      await other.state.keys.set({ session: { x: record('other') } })
      await one.close()
      expect(await other.state.keys.get('session', ['x'])).toEqual({ x: record('other') })
      expect((await store.list()).sessionIds.sort()).toEqual(['a', 'a:b'])
    })
  })
}
