import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { CREDS_FIELD } from '../../../src/core/backend.js'
import { toTrashName } from '../../../src/core/names.js'
import { sessionsOf } from '../../support/sessions-of.js'
import { CREDS, type CreateStoreDatabase, expectRefusal, KEY, OTHER_KEY, setUp } from './harness.js'
import { dataOf, deletedOf, HOUR_MS, PAIRED, SESSION, setUpDeleted } from './trash-harness.js'

/** Deletion that can be undone. */
export function describeTrash(create: CreateStoreDatabase): void {
  describe('a deleted session', () => {
    test.each([{}, { masterKey: KEY }])('is restored as it was, at a later version: %j', async options => {
      const { open } = await setUp(create)
      const [store, other] = [await open(options), await open(options)]
      await store.set('s', SESSION)
      const before = await dataOf(store)
      const { durability } = await store.delete('s')
      expect(await store.get('s')).toBeNull()
      const restored = await other.restore('s')
      expect(restored).toMatchObject({ success: true, durability })
      expect(restored?.version).toBeGreaterThan(1)
      for (const one of [store, other, await open(options)]) expect(await dataOf(one)).toEqual(before)
      expect(await other.restore('s')).toBeNull()
      expect(await store.describe('s')).toMatchObject({ isPaired: true, version: restored?.version })
    })

    test('is restored with 10,000 keys', async () => {
      const { open } = await setUp(create)
      const store = await open({ resilience: { operationTimeout: 60_000 } })
      const session = Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`k${n}`, `value ${n}`]))
      await store.set('s', { creds: PAIRED, keys: { session } })
      await store.delete('s')
      await store.restore('s')
      expect((await dataOf(store))?.keys).toEqual({ session })
    })

    test('may have the longest of names', async () => {
      const { open } = await setUp(create)
      const store = await open()
      for (const name of ['n'.repeat(1024), 'ö'.repeat(512)]) {
        await store.set(name, SESSION)
        await store.delete(name)
        expect(await deletedOf(store)).toEqual([name])
        await store.restore(name)
        expect(await dataOf(store, name)).toMatchObject({ creds: PAIRED })
        await store.purge(name)
      }
    })

    test('is in the catalogue of deleted sessions alone, until it is restored', async () => {
      const { open } = await setUp(create)
      const store = await open()
      for (const name of ['lives', 's', 'z']) await store.set(name, SESSION)
      const beganMs = Date.now()
      await store.batchDelete(['s', 'z'])
      expect((await sessionsOf(store)).map(({ sessionId }) => sessionId)).toEqual(['lives'])
      expect(await store.list()).toEqual({ sessionIds: ['lives'], cursor: null })
      expect((await store.list({ limit: 1 })).sessionIds).toEqual(['lives'])
      const [info] = (await sessionsOf(store, { deleted: true })).sort((a, b) =>
        a.sessionId < b.sessionId ? -1 : 1,
      )
      const { deletedAt, expiresAt, ...rest } = info ?? {}
      expect(rest).toEqual({
        sessionId: 's',
        version: expect.any(Number),
        isPaired: true,
        createdAt: null,
        updatedAt: deletedAt,
        owner: null,
      })
      expect(Math.abs((deletedAt?.getTime() ?? 0) - beganMs)).toBeLessThan(60_000)
      expect((expiresAt?.getTime() ?? 0) - (deletedAt?.getTime() ?? 0)).toBeGreaterThan(23 * HOUR_MS)
      await store.restore('s')
      expect(await deletedOf(store)).toEqual(['z'])
    })

    test('stays refused to its former owners, and begins with no write of theirs', async () => {
      const { open } = await setUp(create)
      const [store, other] = [await open(), await open()]
      await store.set('s', SESSION)
      const { fencingToken } = await store.claim('s')
      await store.set('s', { keys: { session: { c: 3 } } }, undefined, fencingToken)
      await other.delete('s')
      const late = () => store.set('s', { keys: { session: { c: 'late' } } }, undefined, fencingToken)
      await expect(late()).rejects.toMatchObject({ code: 'FENCED' })
      await other.restore('s')
      await expectRefusal(other, 's', 'FENCED', late)
      expect(await other.getKeys('s', 'session', ['c'])).toEqual({ c: 3 })
      const next = await store.claim('s')
      expect(next.fencingToken).toBeGreaterThan(fencingToken)
      expect(next.creds).toMatchObject(PAIRED)
    })

    test('is refused to an owner that has opened its name since the deletion, with another identity', async () => {
      const { open, store, before } = await setUpDeleted(create)
      const other = await open()
      const { fencingToken } = await store.claim('s', { exclusive: true })
      await expect(other.restore('s')).rejects.toMatchObject({ code: 'SESSION_LOCKED' })
      await store.releaseLease('s', fencingToken)
      await other.restore('s')
      await expectRefusal(store, 's', 'FENCED', () =>
        store.set('s', { creds: CREDS }, undefined, fencingToken),
      )
      expect(await dataOf(other)).toEqual(before)
    })

    test('can be deleted and restored again, as it was at the last deletion', async () => {
      const { open } = await setUp(create)
      const store = await open()
      await store.set('s', SESSION)
      for (const value of [1, 2]) {
        await store.set('s', { keys: { session: { a: null, [`of ${value}`]: value } } })
        const before = await dataOf(store)
        await store.delete('s')
        await store.delete('s') // of an absent session: changes nothing
        await store.restore('s')
        expect(await dataOf(store)).toEqual(before)
      }
    })

    test('can be restored after a deletion with its token or version, and lives on after a refused one', async () => {
      const { open } = await setUp(create)
      const store = await open()
      const { version } = await store.set('s', SESSION)
      await expectRefusal(store, 's', 'VERSION_MISMATCH', () => store.delete('s', version + 1))
      const former = await store.claim('s')
      const { fencingToken } = await store.claim('s')
      await expectRefusal(store, 's', 'FENCED', () => store.delete('s', undefined, former.fencingToken))
      await store.delete('s', version, fencingToken)
      expect(await store.restore('s')).toMatchObject({ success: true })
    })

    test('lives no longer for a restoration that fails, or for another deletion', async () => {
      const { open } = await setUp(create)
      const [store, other] = [await open({ masterKey: KEY }), await open({ masterKey: OTHER_KEY })]
      const endOfCopy = async () => (await sessionsOf(store, { deleted: true }))[0]?.expiresAt?.getTime()
      await store.set('s', SESSION)
      await store.delete('s')
      const before = await endOfCopy()
      expect(before).toBeGreaterThan(Date.now() + 23 * HOUR_MS)
      await sleep(20)
      await expect(other.restore('s')).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' })
      expect(await endOfCopy()).toBe(before)
      await other.delete('s') // of an absent session
      expect(await endOfCopy()).toBe(before)
      await store.claim('s', { exclusive: true })
      await expect(other.restore('s')).rejects.toMatchObject({ code: 'SESSION_LOCKED' })
      expect(await endOfCopy()).toBe(before)
    })

    test('does not replace a session that was paired since; one that was not gives way', async () => {
      const { open, store, before } = await setUpDeleted(create)
      await store.set('s', { creds: { ...PAIRED, registrationId: 8 } })
      await expectRefusal(store, 's', 'VERSION_MISMATCH', () => store.restore('s'))
      await expect(store.restore('s')).rejects.toThrow('trash.keepSeconds: 0')
      expect(await deletedOf(store)).toEqual([])
      await (await open({ trash: { keepSeconds: 0 } })).delete('s')
      await store.restore('s')
      expect(await dataOf(store)).toEqual(before)
      await store.purge('s')
      await store.set('s', SESSION)
      await store.delete('s')
      await store.set('s', { creds: CREDS, keys: { session: { a: 'of the new one', z: 1 } } })
      expect(await deletedOf(store)).toEqual(['s'])
      await store.restore('s')
      expect(await dataOf(store)).toEqual(before)
    })

    test('is kept when a session of its name that was never paired is deleted', async () => {
      const { store, before } = await setUpDeleted(create)
      await store.set('s', { creds: CREDS })
      await store.delete('s')
      await store.restore('s')
      expect(await dataOf(store)).toEqual(before)
    })

    test('has all that was acknowledged before its deletion, though its owner writes all the time', async () => {
      const { open } = await setUp(create)
      const [store, other] = [await open(), await open()]
      await store.set('s', SESSION)
      let acknowledged = 0
      const writing = (async () => {
        for (let n = 1; ; n++) {
          await store.set('s', { keys: { session: { n } } })
          acknowledged = n
          await sleep(20) // a drain of the outbox keeps up
        }
      })()
      const ended = expect(writing).rejects.toMatchObject({ code: 'SESSION_INCOMPLETE' })
      await sleep(50)
      await other.delete('s')
      await ended
      if ((await other.restore('s')) === null) return // it was written all the time
      expect((await other.getKeys('s', 'session', ['n'])).n).toBe(acknowledged)
    })

    test('cannot be restored after its time, or after a purge, or if none are kept', async () => {
      const { open, openBackend } = await setUp(create)
      const store = await open()
      expect(await store.restore('never-written')).toBeNull()
      await store.set('s', SESSION)
      await store.delete('s')
      expect(await store.purge('s')).toMatchObject({ durability: expect.any(String) })
      expect(await store.restore('s')).toBeNull()
      await store.set('lives', SESSION)
      await store.purge('lives')
      expect([await store.get('lives'), await store.restore('lives')]).toEqual([null, null])
      const forgetful = await open({ trash: { keepSeconds: 0 } })
      await forgetful.set('s', SESSION)
      await forgetful.delete('s')
      expect(await forgetful.restore('s')).toBeNull()
      const brief = await open({ trash: { keepSeconds: 1 } })
      await brief.set('s', SESSION)
      await brief.delete('s')
      expect(await deletedOf(brief)).toEqual(['s'])
      await sleep(1100)
      expect([await brief.restore('s'), await deletedOf(brief)]).toEqual([null, []])
      const backend = await openBackend()
      expect((await backend.read(toTrashName('s'), [])).head.exists).toBe(false)
    })

    test('is kept for ever if "trash.keepSeconds" is Infinity', async () => {
      const store = await (await setUp(create)).open({ trash: { keepSeconds: Number.POSITIVE_INFINITY } })
      await store.set('s', SESSION)
      await store.delete('s')
      expect(await sessionsOf(store, { deleted: true })).toMatchObject([{ sessionId: 's', expiresAt: null }])
    })

    test('whose copy is damaged gives CORRUPT_VALUE, and hides no other', async () => {
      const { open, openBackend } = await setUp(create)
      const store = await open()
      for (const name of ['s', 'z']) {
        await store.set(name, SESSION)
        await store.delete(name)
      }
      const backend = await openBackend()
      const writes = [{ type: '@trash', id: '', bytes: Buffer.from('{"state":"gone"}') }]
      await backend.commit(toTrashName('s'), { writes, operationId: 'damage' })
      await expect(store.restore('s')).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
      await expect(store.restore('s')).rejects.toThrow('store.purge')
      expect(
        (await sessionsOf(store, { deleted: true })).map(({ sessionId, isDamaged }) => [
          sessionId,
          isDamaged,
        ]),
      ).toEqual(
        expect.arrayContaining([
          ['s', true],
          ['z', undefined],
        ]),
      )
      await store.set('s', SESSION)
      await store.delete('s')
      expect(await store.restore('s')).toMatchObject({ success: true })
    })

    test('has no name that a caller can give', async () => {
      const store = await (await setUp(create)).open()
      for (const method of ['get', 'delete', 'restore', 'purge'] as const) {
        await expect(store[method](toTrashName('s'))).rejects.toMatchObject({ code: 'INVALID_SESSION_ID' })
      }
    })
  })

  test.each([
    ['damaged', Buffer.from([0xb1, 0x00, ...Buffer.from('5')])],
    ['missing', null],
  ])('a copy whose creds are %s is not restored, and the error advises to purge it', async (_, bytes) => {
    const { store, openBackend } = await setUpDeleted(create)
    const damage = { writes: [{ ...CREDS_FIELD, bytes }], operationId: 'damage' }
    await (await openBackend()).commit(toTrashName('s'), damage)
    const restoring = store.restore('s')
    await expect(restoring).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
    await expect(restoring).rejects.toThrow('store.purge')
    await store.purge('s')
    expect(await store.restore('s')).toBeNull()
  })

  test('a copy whose creds are sealed under another key is not restored, and stays', async () => {
    const { store, open } = await setUpDeleted(create)
    const other = await open({ masterKey: KEY })
    await other.set('other', SESSION)
    await other.delete('other')
    await expect(store.restore('other')).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' })
    await other.restore('other')
    expect(await dataOf(other, 'other')).toEqual(SESSION)
  })

  test('a damaged copy does not stand in the way of a deletion', async () => {
    const { database, open } = await setUp(create)
    const [store, backend] = [await open(), await database.open()]
    await store.set('s', SESSION)
    await store.delete('s')
    const creds = { ...CREDS_FIELD, bytes: null }
    const note = { type: '@trash', id: '', bytes: Buffer.from('damaged') }
    const damage = { writes: [creds, note], operationId: 'damage' }
    await backend.commit(toTrashName('s'), damage)
    await store.set('s', SESSION)
    await store.delete('s')
    await store.restore('s')
    expect(await dataOf(store)).toEqual(SESSION)
    await backend.close()
  })
}
