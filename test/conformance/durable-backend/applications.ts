import { describe, expect, test } from 'vitest'
import { operationAt } from '../../../src/core/store/operation-ids.js'
import { Clock, DAY_MS } from '../backend/harness.js'
import { type CreateDurableDatabase, openDurable, write } from './harness.js'

/** Writes whose versions another database has assigned: they may come twice and out of order. */
export function describeApplications(create: CreateDurableDatabase): void {
  const setUp = async () => {
    const opened = await openDurable(create)
    await opened.apply(1, { a: 'one', b: 'one' }, { kind: 'session' })
    return opened
  }

  describe('a write with a version', () => {
    test('is applied once, under that version', async () => {
      const { apply, read } = await setUp()
      expect(await apply(5, { a: 'five' })).toMatchObject({ version: 5, isLate: false, isPart: false })
      expect(await apply(5, { a: 'five' })).toMatchObject({ version: 5, isLate: false, isPart: false })
      expect(await read()).toEqual({ version: 5, a: 'five', b: 'one' })
    })

    test('that comes late stays below newer writes, and leaves the session at its version', async () => {
      const { apply, read } = await setUp()
      await apply(5, { a: 'five' })
      expect(await apply(3, { a: 'three', b: 'three' })).toMatchObject({ version: 5, isLate: true })
      expect(await apply(4, { b: 'four' })).toMatchObject({ version: 5, isLate: true })
      expect(await read()).toEqual({ version: 5, a: 'five', b: 'four' })
      expect(await apply(6, { b: 'six' })).toMatchObject({ version: 6, isLate: false })
    })

    test('that comes late does not come back in a session that was deleted, or began anew since', async () => {
      const { apply, read } = await setUp()
      await apply(5, {}, { kind: 'deletion' })
      expect(await apply(4, { a: 'four' })).toMatchObject({ isLate: true })
      expect(await read()).toEqual({ version: 5 })
      await apply(6, { c: 'six' }, { kind: 'session' })
      await apply(4, { a: 'four' })
      expect(await read()).toEqual({ version: 6, c: 'six' })
    })

    test('whose version another write has is late each time, even when the store knows it by then', async () => {
      const { apply, backend, read } = await setUp()
      await apply(5, { a: 'first' })
      const applySecond = () => apply(5, { a: 'second' }, { operation: 'second' })
      const isLate = { isLate: true, newest: { id: 'op5' } }
      expect(await applySecond()).toMatchObject(isLate)
      expect(await applySecond()).toMatchObject(isLate)
      await apply(6, { b: 'six' })
      expect(await applySecond()).toMatchObject({ ...isLate, version: 6 })
      expect(await apply(5, { a: 'first' })).toMatchObject({ isLate: false })
      expect(await read()).toEqual({ version: 6, a: 'first', b: 'six' })
      // It counts as a write that takes its version here.
      const again = { operationId: 'second', writes: [write('a', 'second')] }
      expect(await backend.commit('s', again)).toMatchObject({ version: 7 })
      expect(await backend.commit('s', again)).toMatchObject({ version: 7 })
      expect(await read()).toEqual({ version: 7, a: 'second', b: 'six' })
    })

    test('makes only a part of a session that the database has lost, until the whole session is applied', async () => {
      const { apply, backend } = await openDurable(create)
      expect(await apply(5, { a: 'five' })).toMatchObject({ version: 5, isLate: false, isPart: true })
      expect((await backend.read('s', [])).head).toMatchObject({ exists: true, version: 5, isPart: true })
      expect(await apply(6, { b: 'six' })).toMatchObject({ isPart: true })
      const whole = { a: 'five', b: 'six', c: 'two' }
      expect(await apply(6, whole, { kind: 'session', operation: 'op6' })).toMatchObject({ isPart: false })
      expect((await backend.read('s', [])).head.isPart).not.toBe(true)
    })

    test('deletes the field that it removes, and a late write does not bring that field back', async () => {
      const { apply, backend, read } = await setUp()
      const operations = [{ id: 'removal', version: 5, updatedAtMs: Date.now() }]
      const removal = { version: 5, fencingToken: 0, operations, kind: 'fields' } as const
      await backend.apply('s', removal, [{ type: 'session', id: 'a', bytes: null }])
      await apply(4, { a: 'four' })
      expect(await read()).toEqual({ version: 5, b: 'one' })
    })
  })

  test.each(['session', 'fields'] as const)(
    'several writes (%s) that begin a session store each field under the version of its own',
    async kind => {
      const { backend, apply, read } = await openDurable(create)
      const operations = [5, 6].map(version => ({ id: `op${version}`, version, updatedAtMs: Date.now() }))
      const application = { version: 6, fencingToken: undefined, operations, kind } as const
      await backend.apply('s', application, [
        { ...write('a', 'of a heal'), version: 2 },
        { ...write('b', 'five'), version: 5 },
        write('c', 'six'),
      ])
      expect(await read()).toEqual({ version: 6, a: 'of a heal', b: 'five', c: 'six' })
      const fields = ['a', 'b', 'c'].map(id => ({ type: 'session', id }))
      expect((await backend.readHistory('s', fields)).versions.slice(0, 3)).toEqual([2, 5, 6])
      expect(await apply(5, { a: 'later', c: 'late' }, { operation: 'other' })).toMatchObject({
        isLate: true,
      })
      expect(await read()).toEqual({ version: 6, a: 'later', b: 'five', c: 'six' })
    },
  )

  test('an expired session comes back to life when the whole of it is applied', async () => {
    const clock = new Clock()
    const { apply, backend, read } = await openDurable(create, { ttlMs: 1000, now: clock.now })
    await apply(1, { a: 'one' }, { kind: 'session' })
    clock.advance(1001)
    expect((await backend.read('s', [])).head.exists).toBe(false)
    expect(await apply(1, { a: 'one' }, { kind: 'session', operation: 'alive' })).toMatchObject({
      isLate: false,
    })
    expect(await read()).toEqual({ version: 1, a: 'one' })
  })

  test('a late deletion ends a session that has only continued since, and not one that has begun since', async () => {
    const { apply, backend, read } = await setUp()
    await apply(5, { a: 'five' })
    await apply(3, {}, { kind: 'deletion', operation: 'end' })
    expect(await read()).toEqual({ version: 6 })
    await apply(8, { a: 'eight' }, { kind: 'session' })
    await apply(7, {}, { kind: 'deletion', operation: 'late end' })
    expect(await read()).toEqual({ version: 8, a: 'eight' })
    expect(await backend.highestVersion('s')).toBe(8)
  })

  test('several writes of which only some are late are not applied: they have to come one by one', async () => {
    const { backend, read } = await setUp()
    const applyTwo = (from: number) => {
      const operations = [from, from + 1].map(version => ({
        id: `two${version}`,
        version,
        updatedAtMs: Date.now(),
      }))
      const two = { version: from + 1, fencingToken: undefined, operations, kind: 'fields' } as const
      return backend.apply('s', two, [write('b', `${from + 1}`)])
    }
    expect(await applyTwo(2)).toMatchObject({ version: 3, mustSplit: false, isLate: false })
    const other = { id: 'other', version: 4, updatedAtMs: Date.now() }
    const one = { version: 4, fencingToken: undefined, operations: [other], kind: 'fields' } as const
    await backend.apply('s', one, [write('a', 'other')])
    expect(await applyTwo(4)).toMatchObject({ version: 4, mustSplit: true, isLate: false })
    expect(await read()).toEqual({ version: 4, a: 'other', b: '3' })
    expect(await applyTwo(2)).toMatchObject({ version: 4, mustSplit: false, isLate: false })
    expect(await applyTwo(5)).toMatchObject({ version: 6, mustSplit: false })
  })

  test('late operations that the session lacked are named each time, and those that it had are not', async () => {
    const { apply, backend } = await setUp()
    await apply(2, { a: 'two' }, { operation: 'two' })
    await apply(3, { a: 'three' }, { operation: 'three' })
    const missingOf = async (...of: Parameters<typeof apply>) => (await apply(...of)).missing
    expect(await missingOf(4, { a: 'four' }, { operation: 'four' })).toEqual([])
    expect(await missingOf(2, { a: 'two' }, { operation: 'two' })).toEqual([])
    for (const last of ['four', 'five']) {
      const late = await apply(3, { a: 'other' }, { operation: 'otherthree' })
      expect(late).toMatchObject({ missing: ['otherthree'], newest: { id: 'four' } })
      expect(operationAt(late.ops, late.version)).toMatchObject({ id: last })
      await apply(5, { b: 'five' }, { operation: 'five' })
    }
    for (let version = 6; version <= 30; version++) await apply(version, { b: `${version}` })
    expect(await missingOf(3, { a: 'third' }, { operation: 'asold' })).toEqual([])
    await backend.delete('s', { operationId: 'end' })
    expect(await missingOf(31, { a: 'late' }, { operation: 'afterend' })).toEqual([])
  })

  test('an operation that is known does nothing, whatever version it comes with', async () => {
    const { apply, read } = await setUp()
    await apply(2, { a: 'two' }, { operation: 'known' })
    await apply(3, { a: 'three' })
    await apply(9, { a: 'two' }, { operation: 'known' })
    expect(await read()).toMatchObject({ version: 3, a: 'three' })
  })

  describe('a replaced owner', () => {
    test('has its writes applied until it is barred, and none after that', async () => {
      const { apply, backend, read } = await setUp()
      await backend.raiseFence('s', 8)
      expect(await apply(2, { a: 'two' }, { token: 7 })).toMatchObject({ isBarred: false, fence: 8 })
      await backend.bar('s', 8)
      expect(await apply(3, { a: 'three' }, { token: 7 })).toMatchObject({ isBarred: true })
      expect(await apply(4, { b: 'four' }, { token: 8 })).toMatchObject({ isBarred: false })
      expect(await read()).toEqual({ version: 4, a: 'two', b: 'four' })
    })

    test('is refused writes that it alone still has', async () => {
      const { backend, read } = await setUp()
      await backend.raiseFence('s', 8)
      const operations = [{ id: 'own', version: 2, updatedAtMs: Date.now() }]
      const own = { version: 2, fencingToken: 7, operations, kind: 'fields', isOwn: true } as const
      await expect(backend.apply('s', own, [write('a', 'two')])).rejects.toMatchObject({ code: 'FENCED' })
      expect(await read()).toEqual({ version: 1, a: 'one', b: 'one' })
    })

    test('stays barred when a lower fence and a lower bar come', async () => {
      const { apply, backend } = await setUp()
      await backend.raiseFence('s', 8)
      await backend.bar('s', 8)
      await backend.raiseFence('s', 6)
      await backend.bar('s', 6)
      expect((await backend.read('s', [])).head.fence).toBe(8)
      expect(await apply(2, { a: 'two' }, { token: 7 })).toMatchObject({ isBarred: true })
    })
  })

  test.each([
    ['from its writes, however late they are applied', false],
    ['from now, if the other database has kept the session alive', true],
  ])('the ttl of a session counts %s', async (_, livesFromNow) => {
    const clock = new Clock()
    const { backend } = await openDurable(create, { ttlMs: DAY_MS, now: clock.now })
    const operations = [{ id: 'op', version: 1, updatedAtMs: clock.nowMs }]
    clock.advance(DAY_MS / 2)
    const application = { version: 1, fencingToken: 0, operations, kind: 'session', livesFromNow } as const
    await backend.apply('s', application, [write('a', 'one')])
    clock.advance(DAY_MS / 2 + 1)
    expect((await backend.read('s', [])).head.exists).toBe(livesFromNow)
  })
}
