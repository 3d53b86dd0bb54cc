import { hostname } from 'node:os'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Rewind } from '../../../src/index.js'
import { makeLogger } from '../../support/logger.js'
import type { CreateStoreDatabase } from '../auth-store/harness.js'
import { record, setStage } from './harness.js'

const PHONE = '15550001234'

export function describeNotices(create: CreateStoreDatabase): void {
  describe('a hook that has lost its session', () => {
    test('is notified once with the error, whether a save or a write of keys met it first', async () => {
      const { open } = await setStage(create)
      const losses: unknown[] = []
      const first = await open({ onOwnershipLost: error => losses.push(error) })
      await open()
      await Promise.allSettled([first.saveCreds(), first.state.keys.set({ session: { a: record('a') } })])
      expect(losses).toHaveLength(1)
      expect(losses[0]).toMatchObject({ code: 'FENCED', sessionId: 's' })
    })

    test('is told who has it now: by default, the host and the process', async () => {
      const { open, openStore } = await setStage(create)
      const { logger, lines } = makeLogger()
      const { store } = await openStore({ logger })
      const first = await open({ store, owner: 'worker-1' })
      await open()
      const label = `${hostname()}:${process.pid}`
      await expect(first.saveCreds()).rejects.toMatchObject({ code: 'FENCED', owner: label })
      expect(JSON.stringify(lines)).toContain(`\\"${label}\\" (since `)
      await open({ owner: 'worker-2' })
      expect((await store.describe('s'))?.owner?.label).toBe('worker-2')
    })

    test('is refused without another call to the database', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const first = await open({ store })
      const second = await open()
      await second.state.keys.set({ session: { a: record('second') } })
      await expect(first.saveCreds()).rejects.toMatchObject({ code: 'FENCED' })
      const before = backend.count('commit')
      await expect(first.state.keys.set({ session: { a: null } })).rejects.toMatchObject({ code: 'FENCED' })
      await first.close()
      expect(backend.count('commit')).toBe(before)
    })

    test('no longer keeps the session alive', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore({ ttlMs: 100_000 })
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
      onTestFinished(() => void vi.useRealTimers())
      const first = await open({ store })
      await open()
      await expect(first.saveCreds()).rejects.toMatchObject({ code: 'FENCED' })
      vi.advanceTimersByTime(99_999)
      expect(backend.count('touch')).toBe(0)
    })

    test('survives an exception in its callback', async () => {
      const { open, openStore } = await setStage(create)
      const { logger, lines } = makeLogger()
      const { store } = await openStore({ logger })
      const first = await open({
        store,
        onOwnershipLost() {
          throw new Error('a bug of the caller')
        },
      })
      await open()
      await expect(first.saveCreds()).rejects.toMatchObject({ code: 'FENCED' })
      expect(lines.map(([, , message]) => message)).toContain('a callback has thrown')
    })
  })

  describe('the log', () => {
    test('shows what went wrong and no phone number', async () => {
      const { open, openStore } = await setStage(create)
      const { logger, lines } = makeLogger()
      const { store, backend } = await openStore({ logger })
      const sessionId = `tenant-${PHONE}`
      const first = await open({ store, sessionId })
      backend.fail('commit')
      await expect(first.saveCreds()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      backend.heal()
      await open({ sessionId })
      await expect(first.saveCreds()).rejects.toMatchObject({ code: 'FENCED' })
      expect(lines.map(([level, , message]) => `${level}: ${message}`)).toEqual([
        'error: creds not saved',
        'warn: the session is not that of this owner any more; its writes end here',
      ])
      expect(JSON.stringify(lines)).not.toContain(PHONE)
      expect(lines[0]?.[1]).toMatchObject({ sessionId: 'tenant-…34', code: 'STORE_UNAVAILABLE' })
    })

    test('reports a session that could not be kept alive, and creds that were not saved while closing', async () => {
      const { open, openStore } = await setStage(create)
      const { logger, lines } = makeLogger()
      const { store, backend } = await openStore({ logger, ttlMs: 100_000 })
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
      onTestFinished(() => void vi.useRealTimers())
      const { saveCreds, close } = await open({ store })
      backend.fail('touch')
      backend.fail('commit')
      vi.advanceTimersByTime(10_000)
      await expect(saveCreds()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      await close()
      const messages = lines.map(([level, , message]) => `${level}: ${message}`)
      expect(messages).toContain('warn: the session could not be kept alive')
      expect(messages).toContain('warn: creds not saved while closing')
    })
  })

  describe('a rewind', () => {
    test('is reported to the hook of its session only, until it closes; an exception in the callback ends nothing', async () => {
      const database = await create()
      const { open, openStore } = await setStage(async () => database)
      const { store } = await openStore()
      const heard: string[] = []
      const note = (name: string) => (rewind: Rewind) => {
        heard.push(`${name} heard of ${rewind.sessionId}`)
        throw new Error('a bug of the caller')
      }
      const { state, saveCreds, close } = await open({ store, onRewind: note('s') })
      await open({ store, sessionId: 'other', onRewind: note('other') })
      const goBack = await database.remember()
      await state.keys.set({ session: { a: record('a') } })
      await goBack()
      expect(await state.keys.get('session', ['a'])).toEqual({ a: record('a') })
      await saveCreds()
      expect(heard).toEqual(['s heard of s'])
      await close()
      await goBack()
      expect((await store.get('s'))?.data.keys).toEqual({ session: { a: record('a') } })
      expect(heard).toEqual(['s heard of s'])
    })
  })
}
