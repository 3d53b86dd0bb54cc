import { describe, expect, test, vi } from 'vitest'
import { SESSION } from '../support/simulation/sim-process.js'
import { setUpStage } from '../support/simulation/stage.js'

// Fake timers do not replace those of this module.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/** Two processes write to one session without a token, and Redis fails over to a replica that lacks a write. */
describe.each([true, false])('with write-behind: %s', isWriteBehind => {
  async function setUp() {
    const stage = setUpStage()
    const [one, two] = [stage.start('one', { isWriteBehind }), stage.start('two', { isWriteBehind })]
    await stage.begin(one, { a: 'first' })
    await stage.read(two, 'a')
    const replica = stage.world.redis.snapshot()
    const failOver = () => stage.world.redis.restore(replica)
    /** MongoDB gets all that waits. By default the other process learns nothing of it. */
    const drain = (by = one) => stage.settled(by.reconciler.reconcileAll())
    const readWhole = async (process: typeof one) =>
      (await stage.settled(process.store.get(SESSION)))?.data.keys.session
    return { ...stage, one, two, failOver, drain, readWhole }
  }

  test.each([1, 2, 3])(
    'a durable write is read again after %i writes of the other process have taken its version',
    async count => {
      const { one, two, write, read, readWhole, settled, failOver, drain, start, pass } = await setUp()
      await write(one, { a: 'later' })
      await drain()
      failOver()
      const values = Object.fromEntries(Array.from({ length: count }, (_, n) => [`b${n}`, `${n}`]))
      const writing = Object.entries(values).map(([id, value]) =>
        two.store.set(SESSION, { keys: { session: { [id]: value } } }),
      )
      await settled(Promise.all(writing))
      await drain(two)
      await pass(1000) // two has noticed by now, and loads Redis
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

  test('a write that only Redis had is read again by its process, though another one has taken its version', async () => {
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
