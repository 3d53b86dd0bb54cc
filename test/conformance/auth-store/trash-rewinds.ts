import { describe, expect, test } from 'vitest'
import type { AuthStore } from '../../../src/index.js'
import { sessionsOf } from '../../support/sessions-of.js'
import { type CreateStoreDatabase, setUp } from './harness.js'
import { dataOf, deletedOf, PAIRED, SESSION } from './trash-harness.js'

/** A database that goes back to before a deletion, under the process that has deleted the session. */
export function describeTrashRewinds(create: CreateStoreDatabase): void {
  async function setUpRewound(remove: (store: AuthStore) => Promise<unknown>) {
    const { database, open, openElsewhere } = await setUp(create)
    const store = await open()
    await store.set('s', SESSION)
    const goBack = await database.remember()
    await remove(store)
    await goBack()
    return { store, openElsewhere }
  }

  describe('a deletion that the database has lost', () => {
    test.each<[string, (store: AuthStore) => Promise<unknown>]>([
      ['a read', store => store.get('s')],
      ['a look', store => store.exists('s')],
      ['the catalogue', store => sessionsOf(store)],
      ['a write', store => store.set('s', { keys: { session: { z: 1 } } })],
      ['another deletion', store => store.delete('s')],
    ])('is repeated with a copy, when it is noticed by %s', async (_, notice) => {
      const { store } = await setUpRewound(store => store.delete('s'))
      await notice(store).catch(() => {}) // a session begins with its creds
      expect(await store.get('s')).toBeNull()
      expect(await deletedOf(store)).toEqual(['s'])
      expect(await store.restore('s')).toMatchObject({ success: true })
      expect(await dataOf(store)).toEqual(SESSION)
    })

    test('is undone by a restoration that notices the loss', async () => {
      const { store } = await setUpRewound(store => store.delete('s'))
      expect(await store.restore('s')).toMatchObject({ success: true })
      expect(await dataOf(store)).toEqual(SESSION)
    })

    test('is repeated for the session that was paired since as well, which lives on', async () => {
      const next = { creds: { ...PAIRED, registrationId: 1 }, keys: {}, appState: {} }
      const { store } = await setUpRewound(async store => {
        await store.delete('s')
        await store.set('s', next)
      })
      expect(await dataOf(store)).toMatchObject({ creds: { registrationId: 1 } })
    })

    test('is repeated for good, if it was a purge', async () => {
      const { store, openElsewhere } = await setUpRewound(store => store.purge('s'))
      expect(await store.get('s')).toBeNull()
      for (const one of [store, await openElsewhere()]) {
        expect([await one.restore('s'), await deletedOf(one), await one.get('s')]).toEqual([null, [], null])
      }
    })

    test('is repeated for good, if it was a purge of a deleted session', async () => {
      const { database, open } = await setUp(create)
      const store = await open()
      await store.set('s', SESSION)
      await store.delete('s')
      const goBack = await database.remember()
      await store.purge('s')
      await goBack()
      expect(await store.restore('s')).toBeNull()
      expect(await store.get('s')).toBeNull()
    })
  })

  test('a former owner that has lost writes deletes the session of its successor, which can be restored', async () => {
    const { database, open, openElsewhere } = await setUp(create)
    const former = await open()
    await former.set('s', SESSION)
    const { fencingToken } = await former.claim('s')
    const goBack = await database.remember()
    await former.set('s', { keys: { session: { lost: 1 } } }, undefined, fencingToken)
    await goBack()
    const later = await openElsewhere()
    const claim = await later.claim('s')
    await later.set('s', { keys: { session: { a: 'later' } } }, undefined, claim.fencingToken)
    await former.delete('s')
    expect(await later.get('s')).toBeNull()
    expect(await former.restore('s')).toMatchObject({ success: true })
    expect(await dataOf(former)).toMatchObject({ keys: { session: { a: 'later' } } })
  })
}
