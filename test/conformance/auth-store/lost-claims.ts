import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { AuthStore } from '../../../src/index.js'
import { Clock } from '../backend/harness.js'
import { CREDS, type CreateStoreDatabase } from './harness.js'
import { read, setUpSession, write } from './processes.js'

/** A database that goes back behind an opening: its token is lost, and the owner goes on. */
export function describeLostClaims(create: CreateStoreDatabase): void {
  describe('a database that has lost a claim', () => {
    test('gets back the writes of the owner even if the former owner has healed it', async () => {
      const { database, one, another } = await setUpSession(create)
      const former = await one.claim('s')
      await write(one, { a: 1 }, former.fencingToken)
      const restore = await database.remember()
      const owner = await another.claim('s')
      await write(another, { k: 'of the owner', b: 2 }, owner.fencingToken)
      await one.get('s')
      await restore()
      await write(one, { k: 'of the former owner' }, former.fencingToken).catch(() => {})
      expect(await read(another, ['a', 'b', 'k'], owner.fencingToken)).toEqual({
        a: 1,
        b: 2,
        k: 'of the owner',
      })
      const late = write(one, { k: 'late' }, former.fencingToken)
      await expect(late).rejects.toMatchObject({ code: 'FENCED' })
    })

    test('gets back the writes of the owner even if the former owner has written without noticing', async () => {
      const { database, one, another } = await setUpSession(create)
      const former = await one.claim('s')
      const restore = await database.remember()
      const owner = await another.claim('s')
      await write(another, { k: 'of the owner', b: 2 }, owner.fencingToken)
      await restore()
      await write(one, { k: 'of the former owner' }, former.fencingToken)
      expect(await read(another, ['b', 'k'], owner.fencingToken)).toEqual({ b: 2, k: 'of the owner' })
      const late = write(one, { k: 'late' }, former.fencingToken)
      await expect(late).rejects.toMatchObject({ code: 'FENCED' })
    })

    test('hands out no token twice', async () => {
      const { database, one, another, third } = await setUpSession(create)
      const restore = await database.remember()
      const lost = await one.claim('s')
      await restore()
      await sleep(5) // tokens count milliseconds
      const owner = await another.claim('s')
      expect(owner.fencingToken).toBeGreaterThan(lost.fencingToken)
      const late = write(third, { k: 'late' }, lost.fencingToken)
      await expect(late).rejects.toMatchObject({ code: 'FENCED' })
      await write(another, { b: 2 }, owner.fencingToken)
    })

    test('has the claim again once a process that knows of it heals the database', async () => {
      const { database, one, another } = await setUpSession(create)
      const former = await one.claim('s')
      const restore = await database.remember()
      const owner = await another.claim('s')
      await write(another, { b: 2 }, owner.fencingToken)
      await one.get('s')
      await restore()
      await one.get('s')
      const late = write(one, { k: 'late' }, former.fencingToken)
      await expect(late).rejects.toMatchObject({ code: 'FENCED' })
      expect(await read(another, ['b', 'k'], owner.fencingToken)).toEqual({ b: 2, k: 'first' })
    })

    test.each([
      ['getKeys', (store: AuthStore, token: number) => read(store, ['k'], token)],
      ['get', (store: AuthStore) => store.get('s')],
      ['exists', (store: AuthStore) => store.exists('s')],
    ] as const)(
      'and writes refuses the %s of a former owner that knows of those writes',
      async (_what, ask) => {
        const { one, another, rewinds, restore } = await setUpSession(create)
        const former = await one.claim('s')
        await write(one, { k: 'second' }, former.fencingToken)
        await restore()
        await sleep(5) // tokens count milliseconds
        const owner = await another.claim('s')
        await expect(ask(one, former.fencingToken)).rejects.toMatchObject({
          code: 'FENCED',
          current: owner.fencingToken,
        })
        expect(rewinds[0]).toMatchObject([{ rewrittenFields: 0 }])
        expect(await read(another, ['k'], owner.fencingToken)).toEqual({ k: 'first' })
        const again = await one.claim('s')
        expect(await read(one, ['k'], again.fencingToken)).toEqual({ k: 'first' })
      },
    )

    test.each([
      ['write', (store: AuthStore, token: number) => write(store, { k: 'late' }, token)],
      ['renewal of its lease', (store: AuthStore, token: number) => store.renewLease('s', token)],
    ] as const)(
      'and writes is not healed by a former owner that a %s has told of the later one',
      async (_what, learn) => {
        const { one, another, restore } = await setUpSession(create)
        const former = await one.claim('s')
        for (const n of [1, 2, 3]) await write(one, { k: `lost ${n}` }, former.fencingToken)
        await restore()
        await sleep(5)
        const owner = await another.claim('s')
        await write(another, { k: 'of the owner' }, owner.fencingToken)
        await expect(learn(one, former.fencingToken)).rejects.toMatchObject({ code: 'FENCED' })
        for (const ids of [['k'], ['k', 'z']]) {
          await expect(read(one, ids, former.fencingToken)).rejects.toMatchObject({ code: 'FENCED' })
        }
        await one.exists('s').catch(() => {})
        await one.get('s').catch(() => {})
        expect(await read(another, ['k'], owner.fencingToken)).toEqual({ k: 'of the owner' })
        expect((await another.get('s'))?.data.keys.session).toMatchObject({ k: 'of the owner' })
        await write(another, { k: 'next' }, owner.fencingToken)
      },
    )

    test('and as many writes as the later owner has made since is no state for the former owner to read', async () => {
      const { one, another, restore } = await setUpSession(create)
      const former = await one.claim('s')
      await write(one, { k: 'lost' }, former.fencingToken)
      await restore()
      await sleep(5)
      const owner = await another.claim('s')
      for (const n of [1, 2, 3]) await write(another, { b: n }, owner.fencingToken)
      for (const _ of ['first', 'second']) {
        await expect(read(one, ['k'], former.fencingToken)).rejects.toMatchObject({ code: 'FENCED' })
      }
    })

    test('and a deletion leaves the session to the owner that has opened it since', async () => {
      const { one, another, restore } = await setUpSession(create)
      const former = await one.claim('s')
      await one.delete('s', undefined, former.fencingToken)
      await restore()
      await sleep(5)
      await another.claim('s')
      expect((await one.get('s'))?.data.creds).toMatchObject(CREDS)
    })

    test('and a deletion leaves the session to an owner whose token is as high as the tombstone was', async () => {
      const clock = new Clock()
      const { one, another, restore } = await setUpSession(create, clock.now)
      const former = await one.claim('s')
      await one.delete('s', undefined, former.fencingToken)
      await restore()
      clock.advance(1)
      const owner = await another.claim('s')
      expect(owner.fencingToken).toBe(former.fencingToken + 1)
      expect((await one.get('s'))?.data.creds).toMatchObject(CREDS)
      await write(another, { b: 2 }, owner.fencingToken)
      expect(await read(another, ['b', 'k'], owner.fencingToken)).toEqual({ b: 2, k: 'first' })
    })

    test('and writes still lets the store of the former owner delete the session', async () => {
      const { one, another, restore } = await setUpSession(create)
      const former = await one.claim('s')
      await write(one, { k: 'second' }, former.fencingToken)
      await restore()
      await sleep(5)
      await another.claim('s')
      await one.delete('s')
      expect(await another.exists('s')).toBe(false)
    })
  })
}
