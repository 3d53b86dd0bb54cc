import { describe, expect, test, vi } from 'vitest'
import { names, SESSION } from '../support/simulation/sim-process.js'
import { setUpTwo } from '../support/simulation/stage.js'

// Fake timers do not replace those of this module.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

const CREDS = { registrationId: 7 }
const INCOMPLETE = { code: 'SESSION_INCOMPLETE' }

/** Both databases have lost a session, or a part of it, and what is left cannot be told from half a session. */
describe.each([true, false])('with write-behind: %s', isWriteBehind => {
  /** `one` has written the creds, `two` a key. A write of `two` reaches a MongoDB that has lost all else, as Redis has. */
  async function setUpPart({ isAskedFor = false } = {}) {
    const stage = await setUpTwo(isWriteBehind)
    const { loseAll, world, one, two, write, untilTriedAgain, drain } = stage
    await write(one, { b: 'second' })
    await drain()
    const rejoin = world.separate(two, 'mongo')
    await write(two, { c: 'waiting' })
    loseAll()
    if (isAskedFor) await stage.settled(stage.start('too early').store.get(SESSION))
    rejoin()
    await untilTriedAgain('mongo')
    return stage
  }
  const ALL = { a: 'first', b: 'second', c: 'waiting' }

  test('a part in MongoDB is half a session for a process that knows nothing else of it', async () => {
    const { settled, start } = await setUpPart()
    const stranger = start('stranger').store
    await expect(settled(stranger.get(SESSION))).rejects.toMatchObject(INCOMPLETE)
    await expect(settled(stranger.set(SESSION, { creds: { registrationId: 8 } }))).rejects.toMatchObject(
      INCOMPLETE,
    )
    await expect(settled(stranger.claim(SESSION))).rejects.toMatchObject(INCOMPLETE)
  })

  test.each(['reads', 'writes', 'opens'])(
    'a part in MongoDB becomes the session again when the process with the creds %s',
    async what => {
      const { one, two, write, read, settled, drain, evict, start } = await setUpPart()
      if (what === 'reads') expect(await read(one, 'a', 'b', 'c')).toEqual(ALL)
      if (what === 'writes') await write(one, { d: 'fourth' })
      if (what === 'opens') expect(await settled(one.store.claim(SESSION))).toMatchObject({ creds: CREDS })
      const all = what === 'writes' ? { ...ALL, d: 'fourth' } : ALL
      for (const process of [two, one, start('third')])
        expect(await read(process, 'a', 'b', 'c', 'd')).toEqual(all)
      await drain()
      evict()
      const later = start('later')
      expect(await read(later, 'a', 'b', 'c', 'd')).toEqual(all)
      expect((await settled(later.store.get(SESSION)))?.data.creds).toEqual(CREDS)
    },
  )

  test.each([false, true])(
    'a part in MongoDB becomes the session again whichever process asks first (one had asked before it came: %s)',
    async isAskedFor => {
      const { one, two, read, settled, drain, evict, start } = await setUpPart({ isAskedFor })
      await expect(settled(two.store.get(SESSION))).rejects.toMatchObject(INCOMPLETE)
      for (const process of [one, two]) expect(await read(process, 'a', 'b', 'c')).toEqual(ALL)
      await drain()
      evict()
      expect(await read(start('later'), 'a', 'b', 'c')).toEqual(ALL)
    },
  )

  test('a part in MongoDB of a session that its process has deleted is deleted', async () => {
    const { loseAll, one, two, settled, world, start, write, untilTriedAgain } = await setUpTwo(isWriteBehind)
    const rejoin = world.separate(two, 'mongo')
    await write(two, { c: 'waiting' })
    await settled(one.store.delete(SESSION))
    loseAll()
    rejoin()
    await untilTriedAgain('mongo')
    for (const process of [one, two, start('third')])
      expect(await settled(process.store.get(SESSION))).toBeNull()
  })

  test('a part in MongoDB of a deleted session gives way to the session that has begun since', async () => {
    const { loseAll, world, one, two, read, settled, drain, evict, start, write, untilTriedAgain } =
      await setUpTwo(isWriteBehind)
    const rejoin = world.separate(two, 'mongo')
    await write(two, { c: 'waiting' })
    await settled(one.store.delete(SESSION))
    await settled(one.store.set(SESSION, { creds: CREDS, keys: { session: { a: 'next' } } }))
    await drain()
    loseAll()
    rejoin()
    await untilTriedAgain('mongo')
    for (const process of [one, two, start('third')])
      expect(await read(process, 'a', 'c')).toEqual({ a: 'next' })
    await drain()
    evict()
    expect(await read(start('later'), 'a', 'c')).toEqual({ a: 'next' })
  })

  test.each(['creds', 'keys'])(
    'the %s that Redis alone still has are half a session for every process, and stay',
    async which => {
      const { one, two, settled, world, write, drain, start } = await setUpTwo(isWriteBehind)
      await drain()
      world.mongo.restore(new Map())
      const [creds, keys] = names.of(SESSION)
      world.redis.run('DEL', which === 'creds' ? keys : creds)
      const remains = world.redis.run('HGETALL', which === 'creds' ? creds : keys)
      for (const { store } of [start('stranger'), one, two])
        await expect(settled(store.get(SESSION))).rejects.toMatchObject(INCOMPLETE)
      await expect(write(one, { b: 'second' })).rejects.toMatchObject(INCOMPLETE)
      expect(world.redis.run('HGETALL', which === 'creds' ? creds : keys)).toEqual(remains)
    },
  )

  test('a part that comes while another process loads the session is not loaded as the whole', async () => {
    const { loseAll, world, one, two, read, settled, drain, start, until } = await setUpTwo(isWriteBehind)
    await drain()
    const writing = two.store.set(SESSION, { keys: { session: { b: 'on its way' } } })
    await until('two → mongo find on') // its update comes next
    await new Promise(resolve => setImmediate(resolve))
    const arrive = world.holdUp('mongo')
    loseAll()
    const stranger = start('stranger', { isWriteBehind })
    const asking = stranger.store.exists(SESSION)
    await until('stranger → mongo find on') // MongoDB has nothing
    await until('stranger → redis HKEYS')
    stranger.condition = 'stalled'
    arrive()
    await until('two → mongo bulk')
    stranger.condition = 'running'
    expect(await settled(asking)).toBe(false) // asked before it came
    await expect(settled(stranger.store.get(SESSION))).rejects.toMatchObject(INCOMPLETE)
    await settled(writing)
    const all = { a: 'first', b: 'on its way' }
    for (const process of [one, two, stranger]) expect(await read(process, 'a', 'b')).toEqual(all)
  })

  test('a write that is repeated above the history of another process does not hide what its own had lost', async () => {
    const { loseAll, world, one, two, write, read, settled, drain, start, until } =
      await setUpTwo(isWriteBehind)
    await write(two, { b: 'second' })
    await drain()
    const writing = one.store.set(SESSION, { keys: { session: { c: 'on its way' } } })
    await until('one → redis commit')
    for (let turn = 0; turn < 5; turn++) await new Promise(resolve => setImmediate(resolve)) // MongoDB is asked
    const arrive = world.holdUp('mongo')
    loseAll()
    await write(two, { b: 'third' })
    arrive()
    await settled(writing)
    const all = { a: 'first', b: 'third', c: 'on its way' }
    expect((await settled(one.store.get(SESSION)))?.data).toEqual({ creds: CREDS, keys: { session: all } })
    for (const process of [two, start('later')]) expect(await read(process, 'a', 'b', 'c')).toEqual(all)
  })

  test('a write from before the writes that a heal brings back is written again by its process', async () => {
    const { loseAll, world, one, two, write, read, settled, pass, untilTriedAgain, drain, evict, start } =
      await setUpTwo(isWriteBehind)
    const rejoin = [one, two].map(process => world.separate(process, 'mongo'))
    await write(two, { c: 'waiting' })
    await settled(one.store.set(SESSION, { creds: CREDS, keys: { session: { a: 'second' } } }))
    loseAll()
    for (const end of rejoin.toReversed()) {
      end()
      await untilTriedAgain('mongo')
    }
    const all = { a: 'second', c: 'waiting' }
    await read(one, 'a')
    for (const process of [two, one]) expect(await read(process, 'a', 'c')).toEqual(all)
    await drain()
    await pass(2000)
    evict()
    expect(await read(start('later'), 'a', 'c')).toEqual(all)
  })

  test('a write is written again though a heal has brought it back in MongoDB alone', async () => {
    const { loseAll, world, one, two, write, read, settled, pass, untilTriedAgain, drain, evict, start } =
      await setUpTwo(isWriteBehind)
    const third = start('third', { isWriteBehind })
    await read(third, 'a')
    const rejoin = [two, third].map(process => world.separate(process, 'mongo'))
    await write(two, { c: 'waiting' })
    await write(third, { d: 'later' })
    loseAll()
    for (const end of rejoin) {
      end()
      await untilTriedAgain('mongo')
    }
    await settled(third.store.get(SESSION)).catch(() => {}) // begins the session again with its later key alone
    const all = { a: 'first', c: 'waiting', d: 'later' }
    await read(one, 'a') // brings the creds back, of an earlier version
    for (const process of [two, one, third]) expect(await read(process, 'a', 'c', 'd')).toEqual(all)
    await drain()
    await pass(2000)
    evict()
    expect(await read(start('later'), 'a', 'c', 'd')).toEqual(all)
  })

  test('a newer part in MongoDB is completed from a Redis that has gone back to the whole', async () => {
    const { world, one, two, write, read, settled, drain, evict, start, untilTriedAgain } =
      await setUpTwo(isWriteBehind)
    await write(one, { b: 'second' })
    await drain()
    const replica = world.redis.snapshot()
    const rejoin = world.separate(two, 'mongo')
    await write(two, { c: 'waiting' })
    world.redis.restore(replica)
    world.mongo.restore(new Map())
    rejoin()
    await untilTriedAgain('mongo')
    for (const process of [two, start('third'), one]) expect(await read(process, 'a', 'b', 'c')).toEqual(ALL)
    await drain()
    evict()
    const later = start('later')
    expect(await read(later, 'a', 'b', 'c')).toEqual(ALL)
    expect((await settled(later.store.get(SESSION)))?.data.creds).toEqual(CREDS)
  })
})
