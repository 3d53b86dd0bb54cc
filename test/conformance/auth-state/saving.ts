import { initAuthCreds } from '@whiskeysockets/baileys'
import { describe, expect, test } from 'vitest'
import { repairSenderKey } from '../../../src/core/hook/sender-keys.js'
import type { CreateStoreDatabase } from '../auth-store/harness.js'
import { identityOf, readRaw, record, setStage } from './harness.js'

export function describeSaving(create: CreateStoreDatabase): void {
  describe('a save under way', () => {
    test('delays later calls, which then share one more write of the current creds', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const { state, saveCreds } = await open({ store })
      const gate = backend.hold('commit')
      const first = saveCreds()
      await gate.reached
      state.creds.nextPreKeyId = 2
      const meanwhile = [saveCreds(), saveCreds()]
      state.creds.nextPreKeyId = 3
      const before = backend.count('commit')
      gate.open()
      await Promise.all([first, ...meanwhile])
      expect(backend.count('commit')).toBe(before + 1)
      expect((await store.get('s'))?.data.creds).toMatchObject({ nextPreKeyId: 3 })
      await saveCreds()
      expect(backend.count('commit')).toBe(before + 2)
    })

    test('does not fail the next save when it fails', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const { state, saveCreds } = await open({ store })
      const gate = backend.hold('commit')
      backend.fail('commit', 3)
      const first = saveCreds()
      await gate.reached
      state.creds.nextPreKeyId = 9
      const next = saveCreds()
      gate.open()
      await expect(first).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      await next
      expect((await store.get('s'))?.data.creds).toMatchObject({ nextPreKeyId: 9 })
    })

    test('a write of keys under way is awaited by close', async () => {
      const { open, openStore, raw } = await setStage(create)
      const { store, backend } = await openStore()
      const { state, close } = await open({ store })
      const gate = backend.hold('commit')
      const writing = state.keys.set({ session: { a: record('a') } })
      await gate.reached
      let isClosed = false
      const closing = close().then(() => {
        isClosed = true
      })
      await new Promise(setImmediate)
      expect(isClosed).toBe(false)
      gate.open()
      await Promise.all([closing, writing])
      const { values } = await raw.read('s', [{ type: 'session', id: 'a' }])
      expect(values[0]).toBeDefined()
      await expect(state.keys.set({})).rejects.toMatchObject({ code: 'CLOSED' })
    })
  })

  describe('creds that could not be saved', () => {
    test('keep keys from running ahead of them', async () => {
      const { open, raw } = await setStage(create)
      const { state, saveCreds } = await open()
      const mine = state.creds
      Object.assign(mine, { registered: true })
      await saveCreds()
      state.creds = initAuthCreds() as never
      await expect(saveCreds()).rejects.toMatchObject({ code: 'IDENTITY_CONFLICT' })
      const before = await readRaw(raw)
      const keys = { session: { a: record('of another identity') } }
      await expect(state.keys.set(keys)).rejects.toMatchObject({ code: 'IDENTITY_CONFLICT' })
      expect(await readRaw(raw)).toEqual(before)
      state.creds = mine
      await state.keys.set({ session: { a: record('mine') } })
      expect(await state.keys.get('session', ['a'])).toEqual({ a: record('mine') })
    })

    test('are saved by close when the write of keys that carries them fails, too', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const { state, saveCreds, close } = await open({ store })
      state.creds.nextPreKeyId = 813
      backend.fail('commit')
      await expect(saveCreds()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      const keys = { session: { a: record('a') } }
      await expect(state.keys.set(keys)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      backend.heal()
      await close()
      expect((await store.get('s'))?.data.creds).toMatchObject({ nextPreKeyId: 813 })
    })

    test('are saved once: the write after the one that carried them writes keys only', async () => {
      const { open, openStore, raw } = await setStage(create)
      const { store, backend } = await openStore()
      const { state, saveCreds } = await open({ store })
      backend.fail('commit')
      await expect(saveCreds()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      backend.heal()
      await state.keys.set({ session: { a: record('a') } })
      const before = (await raw.read('s', [{ type: 'creds', id: '' }])).values
      state.creds.nextPreKeyId = 4711
      await state.keys.set({ session: { a: record('b') } })
      expect((await raw.read('s', [{ type: 'creds', id: '' }])).values).toEqual(before)
    })

    test('do not stop close from closing', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const { saveCreds, close } = await open({ store })
      backend.fail('commit')
      await expect(saveCreds()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      await close()
      backend.heal()
      await expect(saveCreds()).rejects.toMatchObject({ code: 'CLOSED' })
    })
  })

  test('a pairing may be completed, and unpaired creds may change', async () => {
    const { open } = await setStage(create)
    const { state, saveCreds, store } = await open()
    state.creds = initAuthCreds() as never
    await saveCreds()
    Object.assign(state.creds, { me: { id: '1@s.whatsapp.net' } })
    await saveCreds()
    Object.assign(state.creds, { registered: true, nextPreKeyId: 31 })
    await saveCreds()
    const stored = (await store.get('s'))?.data.creds as typeof state.creds
    expect(stored).toMatchObject({ registered: true, nextPreKeyId: 31 })
    expect(identityOf(stored)).toBe(identityOf(state.creds))
  })

  test('keys of an unknown type are stored as they come', async () => {
    const { open } = await setStage(create)
    const { keys } = (await open()).state
    const value = { bytes: Buffer.from('b'), array: new Uint8Array([1]), at: new Date(0), big: 5n, 2024: 1 }
    await keys.set({ 'type-of-tomorrow': { 'any id, even with a : in it': value } } as never)
    const found = await keys.get('type-of-tomorrow' as never, ['any id, even with a : in it', 'none'])
    expect(found).toStrictEqual({ 'any id, even with a : in it': value })
  })

  test('a write that holds an invalid value, type or id is refused before any of it is written', async () => {
    const { open, raw } = await setStage(create)
    const { keys } = (await open()).state
    const before = await readRaw(raw)
    const refused = [
      { session: { a: record('a'), b: new Map() } },
      { session: { a: record('a') }, 'bad type': { b: 1 } },
      { session: { a: record('a') }, creds: { '': 1 } },
      { session: { a: record('a'), '': 1 } },
    ]
    for (const data of refused)
      await expect(keys.set(data as never)).rejects.toMatchObject({ name: /^Invalid/ })
    expect(await readRaw(raw)).toEqual(before)
  })

  test.each([true, false])(
    'sender keys are repaired when they are read if repairSenderKeys is %s',
    async repairs => {
      const { open } = await setStage(create)
      const { keys } = (await open({ repairSenderKeys: repairs })).state
      const stored = Buffer.from(JSON.stringify([{ senderMessageKeys: [{ seed: Buffer.from('seed') }] }]))
      await keys.set({ 'sender-key': { a: stored }, 'identity-key': { a: stored } })
      const { a: senderKey } = await keys.get('sender-key', ['a'])
      expect(senderKey).toEqual(repairs ? repairSenderKey(stored) : stored)
      expect((await keys.get('identity-key', ['a'])).a).toEqual(stored)
    },
  )
}
