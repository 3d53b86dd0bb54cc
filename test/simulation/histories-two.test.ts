import { describe, expect, test, vi } from 'vitest'
import { names, SESSION } from '../support/simulation/sim-process.js'
import { setUpTwo } from '../support/simulation/stage.js'

// Fake timers do not replace those of this module.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/** Two processes write to one session without a token, and Redis fails over to a replica that lacks a write. */
describe.each([true, false])('with write-behind: %s', isWriteBehind => {
  async function setUp() {
    const stage = await setUpTwo(isWriteBehind)
    const replica = stage.world.redis.snapshot()
    const failOver = () => stage.world.redis.restore(replica)
    const readWhole = async (process: typeof stage.one) =>
      (await stage.settled(process.store.get(SESSION)))?.data.keys.session
    return { ...stage, failOver, readWhole }
  }

  test.each([1, 2, 3])(
    'a durable write is read again after %i writes of the other process have taken its version',
    async count => {
      const { one, two, write, read, readWhole, settled, failOver, drain, start } = await setUp()
      await write(one, { a: 'later' })
      await drain()
      failOver()
      const values = Object.fromEntries(Array.from({ length: count }, (_, n) => [`b${n}`, `${n}`]))
      const writing = Object.entries(values).map(([id, value]) =>
        two.store.set(SESSION, { keys: { session: { [id]: value } } }),
      )
      await settled(Promise.all(writing))
      await drain(two)
      expect(await read(one, 'a', ...Object.keys(values))).toEqual({ a: 'later', ...values })
      const later = start('later')
      for (const process of [one, two, later]) {
        expect(await readWhole(process)).toEqual({ a: 'later', ...values })
      }
    },
  )

  test.each([1, 2])(
    'a durable write is read by a later owner, though %i writes have taken its version and their process is gone',
    async count => {
      const { one, two, write, settled, failOver, drain, start, world } = await setUp()
      await write(one, { a: 'later' })
      await drain()
      failOver()
      for (let n = 0; n < count; n++)
        await settled(two.store.set(SESSION, { keys: { session: { [`b${n}`]: `${n}` } } })).catch(() => {})
      world.cutOff(two)
      two.condition = 'dead'
      const next = start('next')
      const { fencingToken } = await settled(next.store.claim(SESSION))
      const reading = next.store.getKeys(SESSION, 'session', ['a'], fencingToken)
      expect(await settled(reading)).toEqual({ a: 'later' })
    },
  )

  test('a durable write is read by a later owner, though all that knew of the loss are gone', async () => {
    const { world, one, two, write, settled, failOver, drain, start, until } = await setUp()
    await write(one, { a: 'later' })
    await drain()
    failOver()
    world.servers.mongo = 'down'
    await write(two, { b: 'other' })
    two.condition = 'dead'
    world.servers.mongo = 'up'
    const relay = start('relay')
    relay.reconciler.reconcileAll().catch(() => {})
    await until('relay → redis ack')
    relay.condition = 'dead'
    const next = start('next')
    const { fencingToken } = await settled(next.store.claim(SESSION))
    const reading = next.store.getKeys(SESSION, 'session', ['a', 'b'], fencingToken)
    expect(await settled(reading)).toEqual({ a: 'later', b: 'other' })
  })

  test('a write that comes late is loaded into Redis, though the other process has written past Redis since', async () => {
    const { world, one, two, write, read, failOver, pass } = await setUp()
    const rejoin = world.separate(two, 'mongo')
    await write(two, { b: 'waits' })
    failOver()
    const reconnect = world.separate(one, 'redis')
    expect(await write(one, { a: 'past' })).toMatchObject({ durability: 'durable' })
    reconnect()
    await pass(1000)
    expect(await read(one, 'a', 'b')).toEqual({ a: 'past' })
    rejoin()
    await pass(31_000)
    expect(await read(one, 'a', 'b')).toEqual({ a: 'past', b: 'waits' })
  })

  test('a write that only Redis had is read again by its process, whoever has taken its version', async () => {
    const { world, one, two, write, read, readWhole, failOver, untilTriedAgain } = await setUp()
    world.servers.mongo = 'down'
    expect(await write(one, { a: 'later' })).toMatchObject({ durability: 'outbox' })
    failOver()
    expect(await write(two, { b: 'other' })).toMatchObject({ durability: 'outbox' })
    world.servers.mongo = 'up'
    await untilTriedAgain('mongo')
    expect(await read(one, 'a')).toEqual({ a: 'later' })
    expect(await readWhole(one)).toEqual({ a: 'later', b: 'other' })
  })

  test('a durable write is read again while the writes that have taken its version wait', async () => {
    const { world, one, two, write, read, drain, failOver, untilTriedAgain } = await setUp()
    await write(one, { a: 'later' })
    await drain()
    failOver()
    world.servers.mongo = 'down'
    expect(await write(two, { b: 'other' })).toMatchObject({ durability: 'outbox' })
    world.servers.mongo = 'up'
    await untilTriedAgain('mongo')
    expect(await read(one, 'a', 'b')).toEqual({ a: 'later', b: 'other' })
  })

  test.each(['reads', 'writes and then reads'])(
    'a write that waits is there for its process, which %s, when the other one has brought Redis back without it',
    async next => {
      const { world, one, two, write, read, failOver, drain, pass } = await setUp()
      const rejoin = [one, two].map(process => world.separate(process, 'mongo'))
      await write(two, { b: 'waits' })
      await write(one, { a: 'later' })
      expect(await read(two, 'a')).toEqual({ a: 'later' })
      failOver()
      rejoin[0]?.()
      await pass(31_000)
      await drain(one)
      await write(one, { a: 'again' })
      rejoin[1]?.()
      if (next !== 'reads') await write(two, { c: 'next' })
      expect(await read(two, 'b')).toEqual({ b: 'waits' })
      await pass(31_000)
      expect(await read(one, 'a', 'b')).toEqual({ a: 'again', b: 'waits' })
    },
  )

  test('a write that waits is there for its process when the other one has healed the session, and loaded Redis', async () => {
    const { world, one, two, write, read, failOver } = await setUp()
    const rejoin = world.separate(two, 'mongo')
    await write(two, { a: 'waits' })
    expect(await read(one, 'a')).toEqual({ a: 'waits' })
    failOver()
    await write(one, { c: 'heals' })
    const [creds] = names.of(SESSION)
    world.redis.run('DEL', creds)
    await write(one, { c: 'loads' })
    rejoin()
    expect(await read(two, 'a', 'c')).toEqual({ a: 'waits', c: 'loads' })
  })

  test('no rewind is reported after MongoDB has gone back, has got the session from Redis, and is loaded into it', async () => {
    const { world, one, two, write, read, settled, drain, start, pass } = await setUp()
    const backup = world.mongo.snapshot()
    const rewinds: unknown[] = []
    for (const { store } of [one, two]) store.onRewind(rewind => rewinds.push(rewind))
    await write(two, { b: 'other' })
    await write(one, { a: 'later' })
    await drain()
    await drain(two)
    expect(await read(two, 'a')).toEqual({ a: 'later' })
    world.mongo.restore(backup)
    await settled(start('owner').store.claim(SESSION))
    const [creds, keys] = names.of(SESSION)
    world.redis.run('DEL', creds, keys)
    await read(one, 'a') // loads Redis
    await pass(1000)
    for (const process of [one, two])
      expect(await read(process, 'a', 'b')).toEqual({ a: 'later', b: 'other' })
    expect(rewinds).toEqual([])
  })

  test('an own write is read though Redis was loaded without it, and with the last operation that was seen', async () => {
    const { world, one, two, write, read, drain, pass } = await setUp()
    const rejoin = world.separate(two, 'mongo')
    const separate = world.separate(one, 'mongo')
    await write(two, { b: 'waits' })
    await write(one, { c: 'waits' })
    expect(await read(two, 'b', 'c')).toEqual({ b: 'waits', c: 'waits' })
    world.redis.restore(new Map())
    separate()
    await pass(31_000)
    await drain(one)
    expect(await read(one, 'c')).toEqual({ c: 'waits' }) // loads Redis
    await pass(1000)
    rejoin()
    expect(await read(two, 'b', 'c')).toEqual({ b: 'waits', c: 'waits' })
  })

  test('a write is not built on a history that lacks what the process has seen', async () => {
    const { one, two, write, read, readWhole, drain, failOver } = await setUp()
    await write(one, { a: 'later' })
    await drain()
    failOver()
    await write(two, { b: 'other' })
    await write(one, { c: 'next' })
    await drain()
    expect(await read(one, 'a', 'b', 'c')).toEqual({ a: 'later', b: 'other', c: 'next' })
    expect(await readWhole(two)).toEqual({ a: 'later', b: 'other', c: 'next' })
  })
})
