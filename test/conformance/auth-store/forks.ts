import { describe, expect, test } from 'vitest'
import { CREDS, type CreateStoreDatabase } from './harness.js'
import { read, setUpProcesses, setUpSession, write } from './processes.js'

/** Several processes on a database that goes back in time: one of them notices first, and goes on. */
export function describeForks(create: CreateStoreDatabase): void {
  describe('a database that goes back under several processes', () => {
    test('gets the lost writes of each, also of those that notice after another process has healed it', async () => {
      const { database, one, another, third, rewinds, restore } = await setUpSession(create)
      await write(one, { a: 1 })
      await write(another, { b: 2 })
      await write(third, { c: 3 })
      await restore()
      for (const store of [one, another, third]) await read(store, ['k'])
      for (const store of [one, another, third]) {
        expect(await read(store, ['a', 'b', 'c', 'k'])).toEqual({ a: 1, b: 2, c: 3, k: 'first' })
      }
      expect(rewinds.map(own => own.length)).toEqual([1, 1, 1])
      // A process may still hold its write for MongoDB, and bring it there before it notices.
      const counts = database.durability === 'outbox' ? [0, 1] : [1]
      for (const { rewrittenFields } of rewinds.flat()) expect(counts).toContain(rewrittenFields)
    })

    test('gets the lost writes when a process writes as when it reads', async () => {
      const { one, another, restore } = await setUpSession(create)
      await write(one, { a: 1 })
      await write(another, { b: 2 })
      await restore()
      await write(one, { c: 3 })
      await write(another, { d: 4 })
      expect(await read(one, ['a', 'b', 'c', 'd'])).toEqual({ a: 1, b: 2, c: 3, d: 4 })
    })

    test('gets the lost writes when it has lost the whole session', async () => {
      const { one, another } = await setUpLoss(create)
      await one.get('s')
      expect(await read(another, ['a', 'b'])).toEqual({ a: 1, b: 2 })
    })

    test.each(['reads', 'writes'])(
      'gets nothing of a session that a process %s, deletes and begins anew into the new one',
      async what => {
        const { one, another } = await setUpLoss(create)
        await one.get('s')
        if (what === 'writes') await write(one, { a: 3 })
        await one.delete('s')
        await one.set('s', { creds: { registrationId: 8 }, keys: { session: { a: 4 } } })
        for (const store of [another, one]) expect(await read(store, ['a', 'b'])).toEqual({ a: 4 })
      },
    )

    test.each([
      ['with the creds', 'with a key', 'without a write'],
      ['with a key', 'with the creds', 'without a write'],
      ['without a write', 'with a key', 'with the creds'],
      ['without a write', 'with the creds', 'with a key'],
    ])(
      'gets the whole session back when the process %s asks first, then that %s, then that %s',
      async (...order) => {
        const { database, one, another, third, openElsewhere } = await setUpProcesses(create)
        const restore = await database.remember()
        const stores = new Map([
          ['with the creds', one],
          ['with a key', another],
          ['without a write', third],
        ])
        await one.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
        await write(another, { b: 2 })
        await third.get('s')
        await restore()
        for (const which of order)
          await stores
            .get(which)
            ?.getKeys('s', 'session', ['a'])
            .catch(() => {})
        for (const store of [...stores.values(), await openElsewhere()]) {
          expect(await read(store, ['a', 'b'])).toEqual({ a: 1, b: 2 })
          expect((await store.get('s'))?.data.creds).toEqual(CREDS)
        }
      },
    )

    test('keeps later writes over the earlier ones that it lost', async () => {
      const { one, another, restore } = await setUpSession(create)
      await write(one, { a: 1 })
      for (const n of [1, 2, 3]) await write(another, { k: `lost ${n}` })
      await restore()
      await write(one, { k: 'new' })
      expect(await read(another, ['a', 'k'])).toEqual({ a: 1, k: 'new' })
      expect(await read(one, ['k'])).toEqual({ k: 'new' })
    })

    test.each(['the earlier', 'the later'])(
      'keeps the later of two lost writes to one key when the process of %s heals first',
      async which => {
        const { one, another, restore } = await setUpSession(create)
        await write(one, { k: 'earlier' })
        await write(another, { k: 'later' })
        await restore()
        const [first, second] = which === 'the earlier' ? [one, another] : [another, one]
        await read(first, ['k'])
        expect(await read(second, ['k'])).toEqual({ k: 'later' })
        expect(await read(first, ['k'])).toEqual({ k: 'later' })
      },
    )

    test.each(['read', 'write'])(
      'gets the lost writes of a process whose first call after the heal of another one is a %s',
      async call => {
        const { one, another, restore } = await setUpSession(create)
        await write(one, { k: 'later' })
        await write(another, { b: 2 })
        await restore()
        await write(another, { b: 3 })
        if (call === 'write') await write(one, { c: 1 })
        expect(await read(one, ['k', 'b'])).toEqual({ k: 'later', b: 3 })
        expect(await read(another, ['k', 'b'])).toEqual({ k: 'later', b: 3 })
      },
    )

    test.each([1, 2, 40])(
      'gets the lost writes even if another process has written %i times without noticing',
      async times => {
        const { one, another, restore, rewinds } = await setUpSession(create)
        await write(another, { a: 1 })
        await write(another, { b: 2 })
        await restore()
        for (let n = 1; n <= times; n++) await write(one, { [`since ${n}`]: n, last: n })
        if (times < 16) expect(await read(another, ['a', 'b', 'last'])).toEqual({ a: 1, b: 2, last: times })
        else expect(await read(another, ['last'])).toEqual({ last: times })
        expect(await read(one, ['last', 'k'])).toEqual({ last: times, k: 'first' })
        expect(rewinds.map(own => own.length)).toEqual([0, times < 16 ? 1 : 0, 0])
      },
    )

    test('gets the lost writes each time that it goes back', async () => {
      const { one, another, restore } = await setUpSession(create)
      await write(one, { a: 1 })
      await write(another, { b: 2 })
      for (const n of [1, 2]) {
        await restore()
        await write(one, { [`since ${n}`]: n })
        expect(await read(another, ['a', 'b'])).toEqual({ a: 1, b: 2 })
      }
      expect(await read(one, ['a', 'b', 'since 1', 'since 2'])).toEqual({
        a: 1,
        b: 2,
        'since 1': 1,
        'since 2': 2,
      })
    })

    test('gets no lost writes of a session that another process has deleted since', async () => {
      const { one, another, restore } = await setUpSession(create)
      await write(one, { a: 1 })
      await write(another, { b: 2 })
      await restore()
      await one.get('s')
      await one.delete('s')
      expect(await read(another, ['b'])).toEqual({})
      expect(await another.get('s')).toBeNull()
    })

    test.each([1, 2, 3, 40])(
      'gets none of %i lost writes of a process once another one has deleted the session',
      async count => {
        const { one, another, restore } = await setUpSession(create)
        for (let n = 0; n < count; n++) await write(another, { a: n })
        await restore()
        await one.delete('s')
        expect(await another.get('s')).toBeNull()
        expect(await one.get('s')).toBeNull()
        expect(await another.exists('s')).toBe(false)
      },
    )
  })

  describe('a database that goes back over a deletion', () => {
    test('has the session deleted again at the next read of the process that had deleted it', async () => {
      const { one, third, rewinds, restore } = await setUpSession(create)
      await write(one, { a: 1 })
      await one.delete('s')
      await restore()
      expect(await one.get('s')).toBeNull()
      expect(await read(third, ['k', 'a'])).toEqual({})
      expect(await third.exists('s')).toBe(false)
      expect(rewinds[0]).toMatchObject([{ foundVersion: 1, rewrittenFields: 0 }])
    })

    test('has the session deleted again even if the deletion was the only change', async () => {
      const { one, third, restore } = await setUpSession(create)
      await one.delete('s')
      await restore()
      expect(await read(one, ['k'])).toEqual({})
      expect((await one.claim('s')).creds).toBeNull()
      expect(await third.get('s')).toBeNull()
    })

    test('has the session deleted again even if another process has meanwhile healed it', async () => {
      const { one, another, third, restore } = await setUpSession(create)
      await write(another, { b: 2 })
      await one.delete('s')
      await restore()
      expect(await read(another, ['b'])).toEqual({ b: 2 })
      expect(await one.get('s')).toBeNull()
      for (const store of [another, third]) expect(await store.get('s')).toBeNull()
    })

    test('has the session deleted again even if another process has written without noticing', async () => {
      const { one, another, restore } = await setUpSession(create)
      await one.delete('s')
      await restore()
      await write(another, { b: 2 })
      expect(await one.get('s')).toBeNull()
      expect(await another.get('s')).toBeNull()
    })

    test('keeps the session that came after the deletion, with nothing of the deleted one', async () => {
      const { one, another, restore } = await setUpSession(create)
      await write(one, { a: 1 })
      await one.delete('s')
      const { fencingToken } = await one.claim('s')
      const creds = { ...CREDS, registrationId: 77 }
      await one.set('s', { creds, keys: { session: { c: 3 } } }, undefined, fencingToken)
      await restore()
      expect(await read(one, ['a', 'c', 'k'], fencingToken)).toEqual({ c: 3 })
      expect((await another.get('s'))?.data).toMatchObject({ creds, keys: { session: { c: 3 } } })
      await write(one, { d: 4 }, fencingToken)
      expect(await read(another, ['a', 'c', 'd', 'k'])).toEqual({ c: 3, d: 4 })
    })

    test.each(['read', 'write'])(
      'is noticed by the next %s if it has lost the session that came after the deletion',
      async kind => {
        const { database, one, another } = await setUpSession(create)
        await one.delete('s')
        const { fencingToken } = await one.claim('s')
        const restore = await database.remember()
        const creds = { ...CREDS, registrationId: 77 }
        await one.set('s', { creds, keys: { session: { c: 3 } } }, undefined, fencingToken)
        await restore()
        if (kind === 'write') await write(one, { d: 4 }, fencingToken)
        expect(await read(one, ['c', 'k'], fencingToken)).toEqual({ c: 3 })
        expect((await another.get('s'))?.data).toMatchObject({ creds, keys: { session: { c: 3 } } })
      },
    )

    test('gets the session back that its process has begun after the deletion by another one', async () => {
      const { database, one, another, third } = await setUpSession(create)
      await write(another, { a: 1 })
      await one.delete('s')
      const restore = await database.remember()
      const creds = { ...CREDS, registrationId: 77 }
      await another.set('s', { creds, keys: { session: { c: 3 } } })
      await third.get('s')
      await restore()
      for (const store of [another, third, one]) {
        expect((await store.get('s'))?.data).toMatchObject({ creds, keys: { session: { c: 3 } } })
        expect(await read(store, ['a', 'k'])).toEqual({})
      }
    })

    test('leaves the session to an owner that has opened it since', async () => {
      const { one, another, restore } = await setUpSession(create)
      await write(one, { a: 1 })
      await one.delete('s')
      await restore()
      const { fencingToken } = await another.claim('s')
      await write(another, { b: 2 }, fencingToken)
      expect(await read(one, ['b', 'k'])).toEqual({ b: 2, k: 'first' })
      await write(another, { d: 4 }, fencingToken)
    })

    test('leaves alone a session that another process has begun anew since', async () => {
      const { one, another, restore } = await setUpSession(create)
      await write(one, { a: 1 })
      await write(one, { a: 2 })
      await one.delete('s')
      await restore()
      await another.delete('s')
      const creds = { ...CREDS, registrationId: 77 }
      await another.set('s', { creds })
      expect((await one.get('s'))?.data.creds).toMatchObject(creds)
    })
  })

  test('a session that another process has deleted and begun anew is no rewind', async () => {
    const { one, another, rewinds } = await setUpSession(create)
    await write(another, { b: 2 })
    await one.delete('s')
    await one.set('s', { creds: CREDS, keys: { session: { c: 3 } } })
    expect(await read(another, ['b', 'c'])).toEqual({ c: 3 })
    await write(another, { d: 4 })
    expect(await read(one, ['b', 'c', 'd'])).toEqual({ c: 3, d: 4 })
    expect(rewinds.flat()).toEqual([])
  })
}

/** The database has lost a session to which two processes have written. */
async function setUpLoss(create: CreateStoreDatabase) {
  const processes = await setUpProcesses(create)
  const { database, one, another } = processes
  const restore = await database.remember()
  await one.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
  await write(another, { b: 2 })
  await restore()
  return processes
}
