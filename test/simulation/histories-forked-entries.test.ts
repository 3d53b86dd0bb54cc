import { expect, test, vi } from 'vitest'
import { setUpTwo } from '../support/simulation/stage.js'

// Fake timers do not replace those of this module.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/**
 * Redis fails over to an older replica, and gives versions again that MongoDB has of other writes. The process that gets
 * them waits for nothing, and is gone before MongoDB has its writes.
 */
async function setUpFork(lost: readonly Record<string, string>[]) {
  const stage = await setUpTwo(true)
  const { world, one, two, write, drain, start, settled, untilTriedAgain } = stage
  const replica = world.redis.snapshot()
  for (const values of lost) await write(two, values)
  await drain(two)
  world.redis.restore(replica)
  world.servers.mongo = 'down'
  await stage.pass(10)
  /** Writes of a process that then dies; a later one brings them to MongoDB. */
  const writeAndDie = async (writes: readonly Record<string, string>[], onDeath = () => {}) => {
    for (const values of writes) expect(await write(one, values)).toMatchObject({ durability: 'outbox' })
    one.condition = 'dead'
    onDeath()
    world.servers.mongo = 'up'
    const later = start('later')
    await untilTriedAgain('mongo')
    await settled(later.reconciler.reconcileAll())
    return later
  }
  return { ...stage, writeAndDie }
}

test.each([
  ['of the same version', [{ a: 'lost' }], [{ a: 'kept' }], { a: 'kept' }],
  ['of a lower version', [{ b: 'lost' }, { a: 'lost' }], [{ a: 'kept' }], { a: 'kept', b: 'lost' }],
  [
    'of versions below, at and above its own',
    [{ b: 'lost' }, { a: 'lost' }],
    [{ a: '1' }, { a: '2', b: 'kept' }, { a: 'kept' }],
    { a: 'kept', b: 'kept' },
  ],
])('a write counts after those that Redis had lost before it: %s', async (_, lost, kept, all) => {
  const { two, read, evict, start, writeAndDie } = await setUpFork(lost)
  const later = await writeAndDie(kept)
  for (const process of [later, two]) expect(await read(process, 'a', 'b')).toEqual(all)
  evict()
  expect(await read(start('last'), 'a', 'b')).toEqual(all)
})

test('a write counts after those that Redis had lost before it, though Redis does not say so at the first time', async () => {
  const { world, one, two, write, read, evict, start, settled, until, untilTriedAgain } = await setUpFork([
    { a: 'lost' },
  ])
  await write(one, { a: 'kept' })
  one.condition = 'dead'
  world.servers.mongo = 'up'
  const later = start('later')
  await untilTriedAgain('mongo')
  later.reconciler.reconcileAll().catch(() => {})
  await until('later → redis look')
  world.losesAnswerOf = 'redis'
  await until('later → redis peek, and the answer is lost')
  await untilTriedAgain('redis')
  await settled(start('next').reconciler.reconcileAll())
  for (const process of [later, two]) expect(await read(process, 'a')).toEqual({ a: 'kept' })
  evict()
  expect(await read(start('last'), 'a')).toEqual({ a: 'kept' })
})

test.each([
  ['of the same version', ['lost'], ['kept']],
  ['of a lower version', ['lost', 'lost too'], ['kept']],
  ['of versions below, at and above its own', ['lost', 'lost too'], ['1', '2', 'kept']],
])(
  'a write counts after those that Redis had lost before it, but not after what was written past Redis since: %s',
  async (_, lost, kept) => {
    const { world, one, two, write, read, drain, evict, start, settled, untilTriedAgain } =
      await setUpTwo(true)
    const replica = world.redis.snapshot()
    for (const a of lost) await write(two, { a })
    await drain(two)
    world.servers.redis = 'down'
    expect(await write(two, { b: 'past Redis' })).toMatchObject({ durability: 'durable' })
    world.redis.restore(replica)
    world.servers.redis = 'up'
    world.servers.mongo = 'down'
    await untilTriedAgain('redis')
    for (const a of kept) await write(one, { a, b: 'before' })
    one.condition = 'dead'
    world.servers.mongo = 'up'
    await untilTriedAgain('mongo')
    await settled(start('later').reconciler.reconcileAll())
    const all = { a: 'kept', b: 'past Redis' }
    for (const process of [two, start('next')]) expect(await read(process, 'a', 'b')).toEqual(all)
    evict()
    expect(await read(start('last'), 'a', 'b')).toEqual(all)
  },
)

test('a write that has counted so does not count again when its entry comes back', async () => {
  const { world, two, write, read, drain, evict, start, settled, writeAndDie } = await setUpFork([
    { a: 'lost' },
  ])
  let replica = world.redis.snapshot()
  await writeAndDie([{ a: 'kept' }], () => {
    replica = world.redis.snapshot()
  })
  await write(two, { a: 'newest' })
  await drain(two)
  world.redis.restore(replica)
  await settled(start('third').reconciler.reconcileAll())
  expect(await read(two, 'a')).toEqual({ a: 'newest' })
  evict()
  expect(await read(start('last'), 'a')).toEqual({ a: 'newest' })
})

test('a write counts after one that has counted so, though Redis has lost the session meanwhile', async () => {
  const { world, one, two, write, read, drain, evict, start, settled, pass, until, untilTriedAgain } =
    await setUpTwo(true)
  const replica = world.redis.snapshot()
  await write(two, { a: 'lost' })
  await drain(two)
  world.redis.restore(replica)
  world.servers.mongo = 'down'
  await pass(10)
  await write(one, { a: 'first' })
  await write(one, { a: 'second' })
  one.condition = 'dead'
  world.servers.mongo = 'up'
  const later = start('later')
  await untilTriedAgain('mongo')
  later.reconciler.reconcileAll().catch(() => {})
  await until('later → redis peek')
  await until('later → mongo bulk') // the first one is raised
  later.condition = 'dead'
  evict()
  await settled(start('last').reconciler.reconcileAll())
  expect(await read(two, 'a')).toEqual({ a: 'second' })
})

test('a write counts before those that Redis had taken after it, and lost', async () => {
  const { world, one, two, write, read, drain, start, settled, evict, untilTriedAgain } = await setUpTwo(true)
  world.servers.mongo = 'down'
  await write(one, { a: 'earlier' })
  one.condition = 'dead'
  const replica = world.redis.snapshot()
  await write(two, { a: 'later' })
  world.servers.mongo = 'up'
  await untilTriedAgain('mongo')
  await drain(two)
  world.redis.restore(replica) // the earlier one waits again
  const third = start('third')
  await settled(third.reconciler.reconcileAll())
  for (const process of [two, third]) expect(await read(process, 'a')).toEqual({ a: 'later' })
  evict()
  expect(await read(start('last'), 'a')).toEqual({ a: 'later' })
})
