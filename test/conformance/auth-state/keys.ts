import { proto } from '@whiskeysockets/baileys'
import { describe, expect, test } from 'vitest'
import type { CreateStoreDatabase } from '../auth-store/harness.js'
import { readRaw, record, setStage } from './harness.js'

export function describeKeys(create: CreateStoreDatabase): void {
  describe('keys', () => {
    test('of every type that Baileys has come back as Baileys needs them', async () => {
      const { open } = await setStage(create)
      const { keys } = (await open()).state
      const syncKey = proto.Message.AppStateSyncKeyData.fromObject({
        keyData: Buffer.from('key'),
        fingerprint: { rawId: 1, currentIndex: 2, deviceIndexes: [0, 1] },
        timestamp: 1_700_000_000_000,
      })
      const data = {
        'pre-key': { 1: { public: Buffer.from([1]), private: Buffer.from([2]) } },
        session: { 'user.0': record('session') },
        'sender-key': { 'group::user::0': Buffer.from('[{"senderKeyId":1}]') },
        'sender-key-memory': { group: { 'user:1@lid': true } },
        'app-state-sync-key': { AAAAAA: syncKey },
        'app-state-sync-version': {
          regular: {
            version: 3,
            hash: Buffer.alloc(128),
            indexValueMap: { 'x=': { valueMac: Buffer.from('m') } },
          },
        },
        'lid-mapping': { user: 'lid', lid_reverse: 'user' },
        'device-list': { user: ['0', '1'] },
        tctoken: { __index: { token: Buffer.from('t') }, user: { token: Buffer.from('u'), timestamp: '1' } },
        'identity-key': { 'user.0': new Uint8Array([5, 1, 2]) },
      }
      await keys.set(data)
      for (const [type, values] of Object.entries(data)) {
        expect(await keys.get(type as never, Object.keys(values))).toEqual(values)
      }
      const { AAAAAA: revived } = await keys.get('app-state-sync-key', ['AAAAAA'])
      expect(revived).toBeInstanceOf(proto.Message.AppStateSyncKeyData)
      const encoded = (message: proto.Message.IAppStateSyncKeyData) =>
        Buffer.from(proto.Message.AppStateSyncKeyData.encode(message).finish()).toString('hex')
      expect(encoded(revived)).toBe(encoded(syncKey))
    })

    test('are refused with a typed error if they are malformed', async () => {
      const { open, raw } = await setStage(create)
      const { keys } = (await open()).state
      const before = await readRaw(raw)
      for (const bad of [
        null,
        undefined,
        5,
        'text',
        [],
        { session: 'text' },
        { session: 5 },
        { session: [] },
      ]) {
        await expect(keys.set(bad as never)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
      }
      for (const bad of [null, undefined, 5, 'text', {}, [null], [5]]) {
        await expect(keys.get('session', bad as never)).rejects.toMatchObject({ code: 'INVALID_KEY' })
      }
      for (const bad of [null, undefined, 5, '', 'creds', 'a:b']) {
        await expect(keys.get(bad as never, ['a'])).rejects.toMatchObject({ code: 'INVALID_KEY' })
      }
      expect(await readRaw(raw)).toEqual(before)
      await keys.set({ session: { a: record('a') } })
    })

    test('of several types take one write', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const { keys } = (await open({ store })).state
      const before = backend.count('commit')
      await keys.set({ session: { a: record('a') }, 'lid-mapping': { b: 'c' }, 'pre-key': { 1: null } })
      expect(backend.count('commit')).toBe(before + 1)
    })

    test('an empty call reaches no database', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const { keys } = (await open({ store })).state
      const before = backend.calls.length
      expect(await keys.get('session', [])).toEqual({})
      await keys.set({ 'pre-key': {} })
      await keys.set({})
      expect(backend.calls.length).toBe(before)
    })

    test('are copied on the way in and on the way out', async () => {
      const { open } = await setStage(create)
      const { keys } = (await open()).state
      const value = record('as it was')
      const writing = keys.set({ session: { a: value } })
      value._sessions.text = 'changed after'
      await writing
      const { a } = await keys.get('session', ['a'])
      expect(a).toEqual(record('as it was'))
      Object.assign(a as object, record('changed by the reader'))
      expect(await keys.get('session', ['a'])).toEqual({ a: record('as it was') })
    })

    test('can be listed by type and cleared; the creds stay', async () => {
      const { open } = await setStage(create)
      const { state, store } = await open()
      const all = Object.fromEntries(Array.from({ length: 450 }, (_, n) => [`${n}`, `lid-${n}`]))
      await state.keys.set({ 'lid-mapping': all, 'device-list': { x: ['0'] } })
      const ids: string[] = []
      for await (const id of state.keys.listIds('lid-mapping')) ids.push(id)
      const entries: [string, string][] = []
      for await (const entry of state.keys.list('lid-mapping')) entries.push(entry)
      expect(ids.sort()).toEqual(Object.keys(all).sort())
      expect(Object.fromEntries(entries)).toEqual(all)
      await state.keys.clear()
      expect(await store.listKeys('s')).toEqual([])
      expect((await store.get('s'))?.data.creds).toMatchObject({ registrationId: state.creds.registrationId })
    })
  })

  describe('the unread guard', () => {
    test('refuses to write a key whose last read has failed, until one has succeeded', async () => {
      const { open, openStore, raw } = await setStage(create)
      const { store, backend } = await openStore()
      const { keys } = (await open({ store })).state
      await keys.set({ session: { a: record('live'), b: record('b') } })
      backend.fail('read')
      await expect(keys.get('session', ['a'])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      backend.heal()
      const before = await readRaw(raw)
      const refused = { code: 'STORE_UNAVAILABLE' }
      await expect(keys.set({ session: { a: record('new') } })).rejects.toMatchObject(refused)
      await expect(keys.set({ session: { b: record('new'), a: null } })).rejects.toMatchObject(refused)
      expect(await readRaw(raw)).toEqual(before)
      await keys.set({ session: { b: record('other') }, 'pre-key': { a: null } })
      expect(await keys.get('session', ['a'])).toEqual({ a: record('live') })
      await keys.set({ session: { a: record('next') } })
      expect(await keys.get('session', ['a'])).toEqual({ a: record('next') })
    })

    test('keeps a damaged key from being overwritten', async () => {
      const { open, raw } = await setStage(create)
      const { keys } = (await open()).state
      const damage = [{ type: 'session', id: 'a', bytes: Buffer.from('damaged') }]
      await raw.commit('s', { writes: damage, operationId: 'damage' })
      await expect(keys.get('session', ['a'])).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
      await expect(keys.set({ session: { a: record('new') } })).rejects.toMatchObject({
        code: 'CORRUPT_VALUE', // tells what to do, which waiting is not
        message: expect.stringContaining(`keys: { 'session': { [id]: null } }`),
      })
      expect(Buffer.from((await raw.read('s', [{ type: 'session', id: 'a' }])).values[0] ?? [])).toEqual(
        Buffer.from('damaged'),
      )
    })

    test.each([
      ['session', 'null'],
      ['app-state-sync-key', '5'],
      ['app-state-sync-key', '{"fingerprint":5}'],
    ] as const)(
      'keeps a key of type %s that is stored as %s from being returned or overwritten',
      async (type, json) => {
        const { open, raw } = await setStage(create)
        const { keys } = (await open()).state
        const damage = [{ type, id: 'a', bytes: Buffer.from(`\xb1\x00${json}`, 'latin1') }]
        await raw.commit('s', { writes: damage, operationId: 'damage' })
        await expect(keys.get(type, ['a'])).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
        await expect(keys.set({ [type]: { a: record('new') } })).rejects.toMatchObject({
          code: 'CORRUPT_VALUE',
        })
      },
    )

    test.each([
      ['is damaged', 'CORRUPT_VALUE', 'bad'],
      ['is invalid', 'INVALID_KEY', ''],
    ])('leaves the other ids of a read writable when one id %s', async (_, code, bad) => {
      const { open, raw } = await setStage(create)
      const { keys } = (await open()).state
      const good = Array.from({ length: 9 }, (_, n) => `good-${n}`)
      await keys.set({ session: Object.fromEntries(good.map(id => [id, record(id)])) })
      const damage = [{ type: 'session', id: 'bad', bytes: Buffer.from('damaged') }]
      await raw.commit('s', { writes: damage, operationId: 'damage' })
      await expect(keys.get('session', [...good, bad])).rejects.toMatchObject({ code })
      await keys.set({ session: Object.fromEntries(good.map(id => [id, record('next')])) })
      if (bad !== '')
        await expect(keys.set({ session: { bad: null } })).rejects.toMatchObject({
          code: 'CORRUPT_VALUE',
        })
    })

    test('allows a write after a read that succeeded on a retry', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const { keys } = (await open({ store })).state
      await keys.set({ session: { a: record('live') } })
      backend.fail('read', 2)
      expect(await keys.get('session', ['a'])).toEqual({ a: record('live') })
      await keys.set({ session: { a: record('next') } })
    })
  })
}
