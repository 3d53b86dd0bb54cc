import { describe, expect, test } from 'vitest'
import type { AuthStore } from '../../../src/index.js'
import { CREDS, type CreateStoreDatabase } from './harness.js'
import { read, setUpProcesses, write } from './processes.js'

const STATES = ['nothing', 'the first session', 'its tombstone'] as const
const DELETERS = [
  'knows nothing of it',
  'has seen it',
  'has written it',
  'has deleted an earlier one',
] as const
const CASES = STATES.flatMap(state => DELETERS.map(who => [state, who] as const))

const LATER = { ...CREDS, registrationId: 77 }
const LAST = { ...CREDS, registrationId: 88 }

/** A database goes back, or loses a session, and then a process deletes the session: no other one writes it again. */
export function describeDeletionsAfterALoss(create: CreateStoreDatabase): void {
  describe('a deletion from a database that has gone back', () => {
    test.each(CASES)('to %s, by a process that %s, holds against all others', async (state, who) => {
      const { stores, deleter } = await setUpLoss(create, state, who)
      await deleter.delete('s')
      for (const store of stores) {
        expect(await store.get('s')).toBeNull()
        expect(await read(store, ['k', 'a', 'c'])).toEqual({})
        expect(await store.exists('s')).toBe(false)
      }
      await deleter.set('s', { creds: LAST, keys: { session: { z: 1 } } })
      for (const store of stores) {
        expect((await store.get('s'))?.data).toMatchObject({ creds: LAST, keys: { session: { z: 1 } } })
        expect(await read(store, ['k', 'a', 'c'])).toEqual({})
      }
    })

    test.each(CASES)('to %s, by a process that %s, ends the owner', async (state, who) => {
      const { another, token, deleter, stores } = await setUpLoss(create, state, who)
      await deleter.delete('s')
      const late = another.set('s', { creds: LATER, keys: { session: { late: 1 } } }, undefined, token)
      await expect(late).rejects.toMatchObject({ code: 'FENCED' })
      await expect(write(another, { late: 1 }, token)).rejects.toMatchObject({ code: 'FENCED' })
      for (const store of stores) expect(await store.get('s')).toBeNull()
    })
  })
}

/** A session is deleted and begun anew by an owner; then the database goes back to an earlier state. */
async function setUpLoss(
  create: CreateStoreDatabase,
  state: (typeof STATES)[number],
  who: (typeof DELETERS)[number],
) {
  let ms = Date.now() // no two changes in one millisecond
  const { database, openElsewhere, one, another, third } = await setUpProcesses(create, () => ms++)
  const nothing = await database.remember()
  await one.set('s', { creds: CREDS, keys: { session: { k: 'first' } } })
  const first = await database.remember()
  await write(another, { a: 1 })
  await one.delete('s')
  const tombstone = await database.remember()
  const { fencingToken: token } = await another.claim('s')
  await another.set('s', { creds: LATER, keys: { session: { c: 3 } } }, undefined, token)
  await third.get('s')
  await { nothing, 'the first session': first, 'its tombstone': tombstone }[state]()
  const stranger = await openElsewhere(null, () => ms++)
  const deleters: Record<typeof who, AuthStore> = {
    'knows nothing of it': stranger,
    'has seen it': third,
    'has written it': another,
    'has deleted an earlier one': one,
  }
  return { another, token, deleter: deleters[who], stores: [third, another, one, stranger] }
}
