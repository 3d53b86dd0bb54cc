import { describe, expect, test } from 'vitest'
import { makeLogger } from '../../support/logger.js'
import type { CreateStoreDatabase } from '../auth-store/harness.js'
import { identityOf, record, setStage } from './harness.js'

export function describeRemoval(create: CreateStoreDatabase): void {
  describe('the removal of a session by its hook', () => {
    test('removes creds and keys, so that the next opening pairs anew', async () => {
      const { open, openStore } = await setStage(create)
      const { store } = await openStore()
      const first = await open({ store })
      await first.state.keys.set({ session: { a: record('a') } })
      await first.remove()
      expect(await store.exists('s')).toBe(false)
      const second = await open({ store })
      expect(identityOf(second.state.creds)).not.toBe(identityOf(first.state.creds))
      expect(await second.state.keys.get('session', ['a'])).toEqual({})
    })

    test('closes the hook, and writes nothing that was still unsaved', async () => {
      const { open, openStore } = await setStage(create)
      const { logger, lines } = makeLogger()
      const { store, backend } = await openStore({ logger })
      const { state, saveCreds, remove } = await open({ store })
      backend.fail('commit')
      await expect(saveCreds()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      backend.heal()
      await remove()
      const before = lines.length
      await expect(saveCreds()).rejects.toMatchObject({ code: 'CLOSED' })
      await expect(state.keys.set({ session: { a: record('a') } })).rejects.toMatchObject({ code: 'CLOSED' })
      expect(await store.exists('s')).toBe(false)
      expect(lines.slice(before)).toEqual([])
    })

    test('can be repeated after it has failed, and does nothing once it has succeeded', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      let releases = 0
      const { remove } = await open({ store, releaseStore: async () => void releases++ })
      backend.fail('delete')
      await expect(remove()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      expect(releases).toBe(0)
      backend.heal()
      await remove()
      expect([releases, await store.exists('s')]).toEqual([1, false])
      await open({ store })
      await remove()
      expect(await store.exists('s')).toBe(true)
    })

    test('opens the store again for a moment if the hook was closed with it', async () => {
      const { open, openStore } = await setStage(create)
      const { store } = await openStore()
      let releases = 0
      const release = async () => void releases++
      const reopenStore = async () => ({ connection: (await openStore()).store, release })
      const closed = await open({ store, releaseStore: () => store.close(), reopenStore })
      await closed.close()
      await closed.remove()
      const { store: later } = await openStore()
      expect([releases, await later.exists('s')]).toEqual([1, false])
    })

    test('leaves alone a session that a later owner has, also after the hook was closed', async () => {
      const { open, openStore } = await setStage(create)
      const { store } = await openStore()
      const first = await open({ store })
      await first.close()
      await open({ store })
      await expect(first.remove()).rejects.toMatchObject({ code: 'FENCED' })
      expect(await store.exists('s')).toBe(true)
    })

    test('leaves alone a session that a later owner has', async () => {
      const { open, openStore } = await setStage(create)
      const { store } = await openStore()
      let releases = 0
      const first = await open({ store, releaseStore: async () => void releases++ })
      const second = await open({ store })
      await expect(first.remove()).rejects.toMatchObject({ code: 'FENCED' })
      expect(releases).toBe(1)
      await second.state.keys.set({ session: { a: record('a') } })
      expect(await second.state.keys.get('session', ['a'])).toEqual({ a: record('a') })
    })

    test('hands an exclusive session over at once', async () => {
      const { open } = await setStage(create)
      const first = await open({ ownership: 'exclusive', leaseMs: 60_000 })
      await first.remove()
      await open({ ownership: 'exclusive', leaseMs: 60_000 })
    })
  })
}
