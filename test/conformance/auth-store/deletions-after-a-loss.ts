import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { AuthStore } from '../../../src/index.js'
import { CREDS, type CreateStoreDatabase, setUp } from './harness.js'
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
  describe('a deletion without a session', () => {
    test.each([1, 2])('lets a session begin, and stay, after %i of them', async count => {
      const { one, another, third, begin, openElsewhere } = await setUpEmpty(create)
      for (let n = 0; n < count; n++) expect(await one.delete('s')).toMatchObject({ durability: 'durable' })
      expect(await third.get('s')).toBeNull()
      await begin(another, CREDS, { k: 'first' })
      await write(another, { a: 1 })
      await sleep(50) // what goes on in the background
      for (const store of [one, another, third]) await store.get('s')
      await write(another, { b: 2 })
      await expectAll([one, another, third, await openElsewhere()], CREDS, { k: 'first', a: 1, b: 2 })
    })

    test('ends the owner that has not written yet', async () => {
      const { one, another, third } = await setUpEmpty(create)
      const { fencingToken } = await one.claim('s')
      await another.delete('s')
      for (const session of [{ k: 1 }, { k: 2 }]) {
        const late = one.set('s', { creds: CREDS, keys: { session } }, undefined, fencingToken)
        await expect(late).rejects.toMatchObject({ code: 'FENCED' })
      }
      await sleep(50)
      for (const store of [one, another, third]) expect(await store.get('s')).toBeNull()
      const next = await third.claim('s')
      expect(next.creds).toBeNull()
      await third.set('s', { creds: LATER }, undefined, next.fencingToken)
      await expectAll([one, another, third], LATER, {})
    })
  })

  test('a deletion that the database has lost is repeated, though an expired session was opened before it', async () => {
    const { database, openElsewhere } = await setUp(create)
    let nowMs = Date.now()
    const store = await openElsewhere(5000, () => nowMs)
    await store.set('s', { creds: CREDS })
    nowMs += 6000
    await store.claim('s')
    const goBack = await database.remember()
    await store.set('s', { creds: CREDS })
    await store.delete('s')
    await goBack()
    expect(await store.get('s')).toBeNull()
    await store.set('s', { creds: LATER })
    expect(await store.get('s')).toMatchObject({ data: { creds: LATER } })
  })

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

    test.each(['reads', 'looks whether it is there'])(
      'to nothing holds, though the process that has deleted the session %s before others',
      async what => {
        const { one, another, third, begin, stores, restore } = await setUpEmpty(create)
        await begin(another, CREDS, { k: 'first' })
        await third.get('s')
        await one.delete('s')
        await restore()
        if (what === 'reads') expect(await one.get('s')).toBeNull()
        else expect(await one.exists('s')).toBe(false)
        for (const store of [another, third, ...stores]) expect(await store.get('s')).toBeNull()
      },
    )

    test.each(['has read', 'has not read'])(
      'is repeated by a process that %s the session begun after it, and leaves that one alone',
      async what => {
        const { database, one, another, third, begin, stores } = await setUpEmpty(create)
        await begin(one, CREDS, { k: 'first' })
        const restore = await database.remember()
        await one.delete('s')
        await begin(another, LATER, { c: 3 })
        if (what === 'has read') await one.get('s')
        await restore()
        await one.get('s')
        for (const store of [another, one, third]) await store.get('s').catch(() => {})
        await expectAll([...stores].reverse(), LATER, { c: 3 })
      },
    )

    test('leaves alone a session that was begun when the database had lost its tombstone, and has it again', async () => {
      const { database, one, another, third, begin, restore } = await setUpEmpty(create)
      await begin(one, CREDS, { k: 'first' })
      await write(one, { a: 1 })
      await third.delete('s')
      const tombstone = await database.remember()
      await restore()
      await begin(another, LATER, { c: 3 })
      await tombstone()
      await expectAll([another, one], LATER, { c: 3 })
    })

    test('leaves nothing of the deleted session to the one that its process has begun since', async () => {
      const { one, another, third, begin, restore } = await setUpEmpty(create)
      await begin(one, CREDS, { k: 'first', a: 1 })
      await another.delete('s')
      await begin(one, LATER, { c: 3 })
      await restore()
      await expectAll([one, third], LATER, { c: 3 })
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

/** Processes on a database without a session, whose changes are never in one millisecond. */
async function setUpEmpty(create: CreateStoreDatabase) {
  let ms = Date.now()
  const processes = await setUpProcesses(create, () => ms++)
  const { one, another, third, database } = processes
  const begin = (store: AuthStore, creds: typeof CREDS, session: Record<string, unknown> = {}) =>
    store.set('s', { creds, keys: { session } })
  return { ...processes, begin, stores: [one, another, third], restore: await database.remember() }
}

async function expectAll(stores: AuthStore[], creds: typeof CREDS, session: Record<string, unknown>) {
  for (const store of stores) {
    expect((await store.get('s'))?.data.creds).toEqual(creds)
    expect(await read(store, ['k', 'a', 'b', 'c'])).toEqual(session)
  }
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
