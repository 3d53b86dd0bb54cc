import { describe, expect, test } from 'vitest'
import { SessionMemory } from '../../../src/core/store/session-memory.js'
import { type AuthStore, StoreError } from '../../../src/index.js'
import { toInterrupted } from '../../support/interrupted-backend.js'
import { dieAtEach } from './die-at-each.js'
import { CREDS, type CreateStoreDatabase, setUp, toStore } from './harness.js'
import { dataOf, deletedOf, HOUR_MS, PAIRED, SESSION, setUpDeleted } from './trash-harness.js'

/** Deletions, restorations and purges among other calls of the same session, and those that do not end. */
export function describeTrashFaults(create: CreateStoreDatabase): void {
  describe('whatever comes between two commands,', () => {
    const pair = (store: AuthStore) => store.set('s', SESSION)
    const remove = (store: AuthStore) => store.delete('s')
    const restore = (store: AuthStore) => store.restore('s')
    const purge = (store: AuthStore) => store.purge('s')
    const begin = openUnpaired
    const nothing = async () => {}
    const both = (first: Action, second: Action) => async (store: AuthStore) => {
      await first(store)
      await second(store)
    }

    test.each<[string, string, Action, Action, Action]>([
      ['a restoration', 'a deletion', both(pair, remove), restore, remove],
      ['a restoration', 'an opening', both(pair, remove), restore, begin],
      ['a restoration over another session', 'an opening', both(both(pair, remove), begin), restore, begin],
      ['a restoration over another session', 'a deletion', both(both(pair, remove), begin), restore, remove],
      ['a restoration', 'another one', both(pair, remove), restore, restore],
      ['a deletion', 'another one', pair, remove, remove],
      ['a deletion', 'another one, and a restoration', pair, remove, both(remove, restore)],
      ['a deletion', 'another one, and an opening', pair, remove, both(remove, begin)],
      ['a deletion of nothing', 'a pairing', nothing, remove, pair],
      ['a deletion of a session that was never paired', 'a pairing', begin, remove, pair],
    ])('%s leaves the session, or its copy: %s', async (_, __, prepare, call, interrupt) => {
      await interruptEach(create, prepare, call, interrupt, async store => {
        if (!(await isPairedIn(store))) await store.restore('s')
        expect(await dataOf(store)).toEqual(SESSION)
      })
    })

    test.each<[string, string, Action, Action, Action]>([
      ['a deletion', 'a purge', pair, remove, purge],
      ['a purge', 'a deletion', pair, purge, remove],
      ['a purge', 'a deletion and a restoration', pair, purge, both(remove, restore)],
      ['a purge of a deleted session', 'a restoration', both(pair, remove), purge, restore],
      ['a restoration', 'a purge', both(pair, remove), restore, purge],
    ])('%s leaves nothing: %s', async (_, __, prepare, call, interrupt) => {
      await interruptEach(create, prepare, call, interrupt, async store => {
        expect([await store.restore('s'), await deletedOf(store), await store.get('s')]).toEqual([
          null,
          [],
          null,
        ])
      })
    })

    test('a restoration is refused while an owner has a lease, and takes nothing from it', async () => {
      const { store, open } = await setUpDeleted(create)
      const owner = await open()
      const { fencingToken } = await owner.claim('s', { exclusive: true })
      await owner.set('s', { creds: CREDS }, undefined, fencingToken)
      await expect(store.restore('s')).rejects.toMatchObject({ code: 'SESSION_LOCKED' })
      await owner.set('s', { keys: { session: { a: 1 } } }, undefined, fencingToken)
      await owner.releaseLease('s', fencingToken)
      await store.restore('s')
      expect(await dataOf(store)).toEqual(SESSION)
    })
  })

  describe.each([true, false])('a process that dies, its last command carried out: %s,', isCarriedOut => {
    test.each([
      ['a deletion', false],
      ['a deletion over an earlier copy', true],
    ])('in %s leaves the session, or a copy of it', async (_, hasEarlier) => {
      await dieAtEach(create, isCarriedOut, store => store.delete('s'), {
        prepare: async store => {
          if (hasEarlier) {
            await store.set('s', { creds: { ...PAIRED, registrationId: 1 }, keys: { session: { z: 26 } } })
            await store.delete('s')
          }
          await store.set('s', SESSION)
          return dataOf(store)
        },
        check: async (store, before) => {
          const isDeleted = !(await store.exists('s'))
          expect(await deletedOf(store)).toEqual(isDeleted ? ['s'] : [])
          if (isDeleted) await openUnpaired(store)
          else {
            expect(await dataOf(store)).toEqual(before)
            await store.delete('s')
          }
          await store.restore('s')
          expect(await dataOf(store)).toEqual(before)
        },
      })
    })

    test('in a restoration leaves a session that can be restored, or is', async () => {
      await dieAtEach(create, isCarriedOut, store => store.restore('s'), {
        prepare: async store => {
          await store.set('s', SESSION)
          const before = await dataOf(store)
          await store.delete('s')
          await store.set('s', { creds: CREDS }) // gives way
          return before
        },
        check: async (store, before) => {
          if (!(await isPairedIn(store))) {
            await openUnpaired(store)
            await store.restore('s')
          }
          expect(await dataOf(store)).toEqual(before)
          await store.set('s', { keys: { session: { later: 1 } } })
          await store.purge('s')
          expect([await store.restore('s'), await deletedOf(store)]).toEqual([null, []])
        },
      })
    })

    test('in a purge leaves a session that can be purged', async () => {
      await dieAtEach(create, isCarriedOut, store => store.purge('s'), {
        prepare: async store => {
          await store.set('s', SESSION)
          return dataOf(store)
        },
        check: async (store, before) => {
          expect([before, null]).toContainEqual(await dataOf(store))
          await store.purge('s')
          expect([await store.get('s'), await store.restore('s')]).toEqual([null, null])
        },
      })
    })
  })
}

type Action = (store: AuthStore) => Promise<unknown>

/** As a hook does for a new session. */
async function openUnpaired(store: AuthStore): Promise<void> {
  const { fencingToken, creds } = await store.claim('s')
  if (creds === null) await store.set('s', { creds: CREDS }, undefined, fencingToken)
}

async function isPairedIn(store: AuthStore): Promise<boolean> {
  return (await store.describe('s'))?.isPaired === true
}

/** Lets another process do something before each command of a call, on a session of its own each time. */
async function interruptEach(
  create: CreateStoreDatabase,
  prepare: Action,
  call: Action,
  interrupt: Action,
  check: Action,
): Promise<void> {
  const { database, open } = await setUp(create)
  for (let at = 0; ; at++) {
    const [survivor, other] = [await open(), await open()]
    await prepare(survivor)
    const memory = new SessionMemory()
    const backend = await database.open({ memory })
    const interrupted = toInterrupted(backend, at, () => interrupt(other))
    const store = await toStore({ backend: interrupted.backend, memory, keepMs: HOUR_MS })
    await call(store).catch(error => {
      if (!(error instanceof StoreError)) throw error
    })
    await backend.close()
    const wasInterrupted = interrupted.calls > at
    if (wasInterrupted) await check(await open())
    await survivor.purge('s')
    if (!wasInterrupted) return
  }
}
