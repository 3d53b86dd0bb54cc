import { describe, expect, test, vi } from 'vitest'
import { SESSION } from '../support/simulation/sim-process.js'
import { setUpTwo } from '../support/simulation/stage.js'

// Fake timers do not replace those of this module.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/** MongoDB keeps each field under the version of the write that wrote it, since a heal looks for its own writes by it. */
describe.each([true, false])('with write-behind: %s', isWriteBehind => {
  const setUp = () => setUpTwo(isWriteBehind)

  test('a write outlives a failover that another write of its batch does not', async () => {
    const { world, one, two, write, read, drain, untilTriedAgain } = await setUp()
    const rejoin = world.separate(one, 'mongo')
    await write(one, { a: 'second' })
    const replica = world.redis.snapshot()
    await write(two, { b: 'other' })
    await drain(two) // both in one batch
    world.redis.restore(replica)
    expect(await write(one, { a: 'third' })).toMatchObject({ durability: 'outbox' })
    rejoin()
    await untilTriedAgain('mongo')
    for (const process of [one, two])
      expect(await read(process, 'a', 'b')).toEqual({ a: 'third', b: 'other' })
  })

  test('a session written again after both databases have lost it outlives an eviction', async () => {
    const { one, write, read, settled, drain, evict, loseAll, start } = await setUp()
    await write(one, { b: 'second' })
    await write(one, { c: 'third' })
    await drain()
    loseAll()
    await write(one, { d: 'fourth' })
    await drain()
    evict()
    const all = { a: 'first', b: 'second', c: 'third', d: 'fourth' }
    expect(await read(start('later'), 'a', 'b', 'c', 'd')).toEqual(all)
    expect((await settled(start('third').store.get(SESSION)))?.data.creds).toEqual({ registrationId: 7 })
  })

  test.each(['reads', 'writes'])(
    'a session that both databases have lost is whole after an eviction, though the first process that %s has little of it',
    async what => {
      const { one, two, write, read, settled, drain, evict, loseAll, start, pass } = await setUp()
      await write(one, { b: 'second' })
      await write(two, { c: 'third' })
      await drain()
      await pass(2000) // nothing is on its way
      const third = start('third')
      await read(third, 'a')
      loseAll()
      if (what === 'reads') await settled(third.store.get(SESSION)).catch(() => {})
      else await write(two, { d: 'fourth' }).catch(() => {})
      for (const process of [two, one]) await read(process, 'a').catch(() => {})
      await drain()
      evict()
      const all = { a: 'first', b: 'second', c: 'third', ...(what === 'writes' && { d: 'fourth' }) }
      expect(await read(start('later'), 'a', 'b', 'c', 'd')).toEqual(all)
    },
  )

  test('a durable write is written again after both databases went back to different states', async () => {
    const { world, one, two, write, read, drain, start } = await setUp()
    const replica = world.redis.snapshot()
    await write(one, { b: 'second' })
    await drain()
    const backup = world.mongo.snapshot()
    await write(two, { c: 'third' })
    await write(one, { d: 'fourth' })
    await drain()
    await read(two, 'd')
    world.redis.restore(replica)
    world.mongo.restore(backup)
    await write(start('third'), { e: 'fifth' })
    const all = { a: 'first', b: 'second', c: 'third', d: 'fourth', e: 'fifth' }
    for (const process of [two, one]) await read(process, 'a')
    for (const process of [two, one]) expect(await read(process, 'a', 'b', 'c', 'd', 'e')).toEqual(all)
  })

  test('a session whose heal waits in the outbox reaches MongoDB with the versions of its writes', async () => {
    const { one, two, write, read, drain, evict, loseAll, until } = await setUp()
    await write(one, { b: 'by one' })
    await write(two, { b: 'by two', c: 'by two' })
    await write(one, { d: 'by one' })
    await drain()
    loseAll()
    one.store.getKeys(SESSION, 'session', ['d']).catch(() => {}) // heals its own writes
    await until('one → redis commit')
    one.condition = 'dead'
    evict()
    const all = { a: 'first', b: 'by two', c: 'by two', d: 'by one' }
    expect(await read(two, 'a', 'b', 'c', 'd')).toEqual(all)
  })
})
