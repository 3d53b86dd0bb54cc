import { EventEmitter } from 'node:events'
import { initAuthCreds } from '@whiskeysockets/baileys'
import { describe, expect, onTestFinished, test } from 'vitest'
import { nullLogger } from '../../../src/core/logger.js'
import type { AuthStore } from '../../../src/index.js'
import { deferred } from '../../support/deferred.js'
import type { CreateStoreDatabase } from '../auth-store/harness.js'
import { identityOf, readRaw, record, setStage } from './harness.js'

const storedCreds = async (store: AuthStore) => (await store.get('s'))?.data.creds

export function describeCreds(create: CreateStoreDatabase): void {
  describe('saveCreds', () => {
    test('saves the live creds; any number of concurrent calls take two writes', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const { state, saveCreds } = await open({ store })
      const before = backend.count('commit')
      const saves = Array.from({ length: 100 }, (_, n) => {
        state.creds.nextPreKeyId = n
        return saveCreds()
      })
      await Promise.all(saves)
      expect(backend.count('commit')).toBe(before + 2)
      expect(await storedCreds(store)).toMatchObject({ nextPreKeyId: 99 })
    })

    test('rejects for a caller that awaits it, and leaves no unhandled rejection when none does', async () => {
      const { open, openStore } = await setStage(create)
      const logged = deferred<void>()
      const { store, backend } = await openStore({ logger: { ...nullLogger, error: () => logged.resolve() } })
      const { saveCreds } = await open({ store })
      const unhandled: unknown[] = []
      const note = (reason: unknown) => unhandled.push(reason)
      process.on('unhandledRejection', note)
      onTestFinished(() => void process.off('unhandledRejection', note))
      backend.fail('commit')
      const ev = new EventEmitter()
      ev.on('creds.update', saveCreds)
      ev.emit('creds.update')
      await logged.promise
      await new Promise(setImmediate)
      await expect(saveCreds()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      await new Promise(setImmediate)
      backend.heal()
      expect(unhandled).toEqual([])
    })

    test('leaves a failed save to the next write of keys, which carries the creds along', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const { state, saveCreds } = await open({ store })
      state.creds.nextPreKeyId = 813
      backend.fail('commit')
      await saveCreds().catch(() => {})
      backend.heal()
      const before = backend.count('commit')
      await state.keys.set({ 'pre-key': { 1: null } })
      expect(backend.count('commit')).toBe(before + 1)
      expect(await storedCreds(store)).toMatchObject({ nextPreKeyId: 813 })
    })

    test('leaves a failed save to close, which repeats it', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const { state, saveCreds, close } = await open({ store })
      state.creds.nextPreKeyId = 813
      backend.fail('commit')
      await saveCreds().catch(() => {})
      backend.heal()
      await close()
      expect(await storedCreds(store)).toMatchObject({ nextPreKeyId: 813 })
    })
  })

  describe('close', () => {
    test('waits for the saves and writes under way, and refuses later ones', async () => {
      const { open, openStore } = await setStage(create)
      const { store } = await openStore()
      const { state, saveCreds, close } = await open({ store })
      const writing = [state.keys.set({ session: { a: record('a') } }), saveCreds()]
      state.creds.nextPreKeyId = 7
      writing.push(saveCreds())
      await close()
      await Promise.all(writing)
      expect(await storedCreds(store)).toMatchObject({ nextPreKeyId: 7 })
      const closed = { code: 'CLOSED' }
      await expect(state.keys.get('session', ['a'])).rejects.toMatchObject(closed)
      await expect(state.keys.set({ session: { a: null } })).rejects.toMatchObject(closed)
      await expect(saveCreds()).rejects.toMatchObject(closed)
      await close()
      expect(await store.isHealthy()).toBe(true)
    })
  })

  describe('the identity guard', () => {
    const paired = () => ({ ...initAuthCreds(), me: { id: '1@s.whatsapp.net' } })

    test('refuses other creds over a paired identity, and writes nothing', async () => {
      const { open, raw } = await setStage(create)
      const { state, saveCreds } = await open()
      Object.assign(state.creds, { me: { id: '1@s.whatsapp.net' } })
      await saveCreds()
      const before = await readRaw(raw)
      const mine = state.creds
      const others = [
        initAuthCreds(),
        paired(),
        { ...mine, registrationId: mine.registrationId + 1 },
        { ...mine, noiseKey: initAuthCreds().noiseKey },
      ]
      for (const other of others) {
        state.creds = other as never
        await expect(saveCreds()).rejects.toMatchObject({ code: 'IDENTITY_CONFLICT' })
      }
      expect(await readRaw(raw)).toEqual(before)
      state.creds = mine
      await saveCreds()
    })

    test('still holds after a restart', async () => {
      const { open } = await setStage(create)
      const first = await open()
      Object.assign(first.state.creds, { registered: true })
      await first.saveCreds()
      const { state, saveCreds } = await open()
      state.creds = initAuthCreds() as never
      await expect(saveCreds()).rejects.toMatchObject({ code: 'IDENTITY_CONFLICT' })
    })

    async function setUpReplacement(resetIdentity = true) {
      const { open, openStore, raw } = await setStage(create)
      const { store, backend } = await openStore()
      const first = await open()
      first.state.creds = paired() as never
      await first.saveCreds()
      const keys = { session: { old: record('old'), both: record('old') }, 'lid-mapping': { old: 'lid' } }
      await first.state.keys.set(keys)
      await first.store.set('s', { appState: { mine: 1 } })
      const handle = await open({ store, resetIdentity })
      const other = paired()
      handle.state.creds = other as never
      return { ...handle, backend, raw, other }
    }

    test('removes the keys of the replaced identity, in the same write', async () => {
      const { store, backend, saveCreds, state, other } = await setUpReplacement()
      const commits = backend.count('commit')
      await saveCreds()
      expect(backend.count('commit')).toBe(commits + 1)
      expect(await store.listKeys('s')).toEqual([])
      expect((await store.get('s'))?.data.appState).toEqual({ mine: 1 })
      await state.keys.set({ session: { a: record('new') } })
      await saveCreds()
      expect(await state.keys.get('session', ['a', 'old'])).toEqual({ a: record('new') })
      expect(identityOf((await storedCreds(store)) as never)).toBe(identityOf(other as never))
    })

    test('keeps the creds and keys of the replaced identity when that write fails', async () => {
      const { backend, saveCreds, raw } = await setUpReplacement()
      const before = await readRaw(raw)
      backend.fail('commit')
      await expect(saveCreds()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      backend.heal()
      expect(await readRaw(raw)).toEqual(before)
    })

    test('saves the creds together with the first keys of another identity, which stay', async () => {
      const { store, backend, saveCreds, state, other } = await setUpReplacement()
      const commits = backend.count('commit')
      await state.keys.set({ session: { both: record('new') }, 'device-list': { a: ['0'] } })
      expect(backend.count('commit')).toBe(commits + 1)
      expect((await store.get('s'))?.data.keys).toEqual({
        session: { both: record('new') },
        'device-list': { a: ['0'] },
      })
      expect(identityOf((await storedCreds(store)) as never)).toBe(identityOf(other as never))
      await saveCreds()
      expect(await store.listKeys('s')).toHaveLength(2)
    })

    test('loses no key of another identity that is written during the save', async () => {
      const { store, saveCreds, state } = await setUpReplacement()
      const ids = Array.from({ length: 20 }, (_, n) => `new-${n}`)
      const writes = ids.map(id => state.keys.set({ session: { [id]: record('new') } }))
      await Promise.all([saveCreds(), ...writes, saveCreds()])
      const found = (await store.listKeys('s')).map(({ id }) => id)
      expect(found.sort()).toEqual(ids.sort())
    })

    test('refuses keys of another identity beside those of a paired one', async () => {
      const { state, raw } = await setUpReplacement(false)
      const before = await readRaw(raw)
      const mixed = state.keys.set({ session: { a: record('new') } })
      await expect(mixed).rejects.toMatchObject({ code: 'IDENTITY_CONFLICT' })
      expect(await readRaw(raw)).toEqual(before)
    })

    test('allows other creds over a paired identity with resetIdentity', async () => {
      const { open } = await setStage(create)
      const first = await open()
      first.state.creds = paired() as never
      await first.saveCreds()
      const { state, saveCreds, store } = await open({ resetIdentity: true })
      const other = paired()
      state.creds = other as never
      await saveCreds()
      expect(identityOf((await storedCreds(store)) as never)).toBe(identityOf(other as never))
    })
  })
}
