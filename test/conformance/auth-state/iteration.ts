import { describe, expect, test } from 'vitest'
import { makePairedCreds } from '../../support/baileys-values.js'
import type { CreateStoreDatabase } from '../auth-store/harness.js'
import { readRaw, record, setStage } from './harness.js'

async function collect<T>(entries: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const entry of entries) all.push(entry)
  return all
}

const lids = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`u${n}`, `l${n}`]))

export function describeIteration(create: CreateStoreDatabase): void {
  describe('list', () => {
    test('reads 200 keys at a time', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const { keys } = (await open({ store })).state
      await keys.set({ 'lid-mapping': lids(450) })
      const before = backend.count('read')
      expect(await collect(keys.list('lid-mapping'))).toHaveLength(450)
      expect(backend.count('read')).toBe(before + 3)
    })

    test('leaves out a key that is deleted during the iteration, and can be left early', async () => {
      const { open } = await setStage(create)
      const { keys } = (await open()).state
      await keys.set({ 'lid-mapping': lids(250) })
      const seen: string[] = []
      for await (const [id] of keys.list('lid-mapping')) {
        if (seen.length === 0) await keys.set({ 'lid-mapping': { u99: null } }) // last of the second page
        seen.push(id)
      }
      expect(seen).toHaveLength(249)
      expect(seen).not.toContain('u99')
      for await (const _ of keys.list('lid-mapping')) break
      expect(await collect(keys.listIds('lid-mapping'))).toHaveLength(249)
    })

    test('is empty for a type without keys', async () => {
      const { open } = await setStage(create)
      const { keys } = (await open()).state
      expect(await collect(keys.list('session'))).toEqual([])
      expect(await collect(keys.listIds('session'))).toEqual([])
    })

    test('throws at a damaged value instead of leaving it out', async () => {
      const { open, raw } = await setStage(create)
      const { keys } = (await open()).state
      await keys.set({ session: { a: record('a') } })
      const damage = [{ type: 'session', id: 'b', bytes: Buffer.from('damaged') }]
      await raw.commit('s', { writes: damage, operationId: 'damage' })
      await expect(collect(keys.list('session'))).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
      expect(await collect(keys.listIds('session'))).toEqual(['a', 'b'])
    })

    test('is refused after close, also where there is nothing to list', async () => {
      const { open, openStore } = await setStage(create)
      const { store } = await openStore()
      const { state, close } = await open({ store })
      await close()
      const closed = { code: 'CLOSED' }
      await expect(collect(state.keys.listIds('session'))).rejects.toMatchObject(closed)
      await expect(collect(state.keys.list('session'))).rejects.toMatchObject(closed)
      await expect(state.keys.clear()).rejects.toMatchObject(closed)
    })
  })

  describe('clear', () => {
    test('reaches no prototype through a stored name, and is not stopped by a name that no key can have', async () => {
      const { open, raw } = await setStage(create)
      const { state, saveCreds, store } = await open({ resetIdentity: true })
      const bytes = Buffer.from('x')
      const names = [
        ['__proto__', 'polluted'],
        ['constructor', 'polluted'],
        ['toString', 'polluted'],
        ['session', '__proto__'],
        ['a type', 'c'],
      ] as const
      const plant = (operationId: string) =>
        raw.commit('s', { operationId, writes: names.map(([type, id]) => ({ type, id, bytes })) })
      await plant('one')
      await state.keys.clear?.()
      await plant('another')
      state.creds.me = { id: 'me' }
      await saveCreds()
      state.creds = { ...makePairedCreds(), me: { id: 'other' } } as never
      await saveCreds()
      expect(await store.listKeys('s')).toEqual([])
      for (const polluted of [{}, Object, () => {}]) expect(Object(polluted).polluted).toBeUndefined()
    })

    test('takes one write, and none when there are no keys', async () => {
      const { open, openStore } = await setStage(create)
      const { store, backend } = await openStore()
      const { keys } = (await open({ store })).state
      await keys.set({ 'lid-mapping': lids(50), session: { a: record('a') } })
      const before = backend.count('commit')
      await keys.clear()
      await keys.clear()
      expect(backend.count('commit')).toBe(before + 1)
    })

    test('leaves creds, app state and other sessions alone', async () => {
      const { open, openStore } = await setStage(create)
      const { store } = await openStore()
      const { keys } = (await open({ store })).state
      const sibling = (await open({ store, sessionId: 's:a' })).state
      for (const each of [keys, sibling.keys]) await each.set({ session: { a: record('a') } })
      await store.set('s', { appState: { note: 'kept' } })
      const { creds } = (await store.get('s'))?.data ?? {}
      await keys.clear()
      expect((await store.get('s'))?.data).toEqual({ creds, keys: {}, appState: { note: 'kept' } })
      expect(await sibling.keys.get('session', ['a'])).toEqual({ a: record('a') })
    })

    test('removes a damaged key, and the id can be written again', async () => {
      const { open, raw } = await setStage(create)
      const { keys } = (await open()).state
      const damage = [{ type: 'session', id: 'a', bytes: Buffer.from('damaged') }]
      await raw.commit('s', { writes: damage, operationId: 'damage' })
      await expect(keys.get('session', ['a'])).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
      await keys.clear()
      await keys.set({ session: { a: record('new') } })
      expect(await keys.get('session', ['a'])).toEqual({ a: record('new') })
    })

    test('leaves the unread guard up after it has failed', async () => {
      const { open, openStore, raw } = await setStage(create)
      const { store, backend } = await openStore()
      const { keys } = (await open({ store })).state
      await keys.set({ session: { a: record('live') } })
      backend.fail('read')
      await expect(keys.get('session', ['a'])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      backend.fail('commit')
      await expect(keys.clear()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      backend.heal()
      const before = await readRaw(raw)
      const refused = { code: 'STORE_UNAVAILABLE' }
      await expect(keys.set({ session: { a: record('new') } })).rejects.toMatchObject(refused)
      expect(await readRaw(raw)).toEqual(before)
    })
  })
}
