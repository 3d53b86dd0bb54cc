import { expect, test, vi } from 'vitest'
import { SESSION } from '../support/simulation/sim-process.js'
import { setUpStage } from '../support/simulation/stage.js'

// Fake timers do not replace those of this module.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/** Commands that arrive after their caller has given up, and answers that come too late. */

test('a value read from Redis while a write goes past it is still known to be missing from MongoDB', async () => {
  const { world, settled, start, write, read, begin, until, untilTriedAgain } = setUpStage()
  const [one, other] = [start('one'), start('other')]
  await begin(one, { a: 'one' })
  world.servers.mongo = 'frozen'
  await write(other, { a: 'other' })
  other.condition = 'dead'
  world.servers.mongo = 'up'
  world.servers.redis = 'frozen'
  const writing = one.store.set(SESSION, { keys: { session: { b: 'one' } } })
  const beganMs = Date.now()
  await world.run(() => Date.now() - beganMs > 1200)
  const reading = one.store.getKeys(SESSION, 'session', ['a'])
  await until('mongo find on') // it has all that has been seen
  world.servers.redis = 'up'
  expect(await settled(reading)).toEqual({ a: 'other' })
  await settled(writing)
  world.servers.redis = 'down'
  await expect(read(one, 'a')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.servers.redis = 'up'
  await untilTriedAgain('redis')
  expect(await read(one, 'a')).toEqual({ a: 'other' })
})

test('a write past Redis whose answer was lost does not overwrite a later write', async () => {
  const { world, settled, start, write, read, begin, until, untilTriedAgain } = setUpStage()
  const one = start('one')
  await begin(one, { a: 'first' })
  world.servers.redis = 'down'
  const lost = one.store.set(SESSION, { keys: { session: { a: 'lost' } } })
  lost.catch(() => {})
  await until('mongo find on') // MongoDB has all that has been seen
  world.servers.mongo = 'frozen'
  await expect(settled(lost)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  const arrive = world.holdUp('mongo')
  world.servers.redis = 'up'
  world.servers.mongo = 'up'
  await untilTriedAgain('mongo')
  expect(await read(one, 'a')).toEqual({ a: 'first' })
  world.servers.mongo = 'frozen'
  expect(await write(one, { a: 'later' })).toMatchObject({ durability: 'outbox' })
  const go = world.holdUp('mongo')
  arrive()
  world.servers.mongo = 'up'
  await until('mongo update')
  go()
  world.redis.restore(new Map())
  expect(await read(one, 'a')).toEqual({ a: 'later' })
})

test('a command that reaches Redis after another process has loaded the session is refused', async () => {
  const { world, start, write, read, begin, untilTriedAgain } = setUpStage()
  const [one, other] = [start('one'), start('other')]
  await begin(one, { a: 'first' })
  world.servers.redis = 'frozen'
  await write(one, { a: 'old' })
  await write(one, { a: 'new' })
  const arrive = world.holdUp('redis')
  world.redis.restore(new Map())
  world.servers.redis = 'up'
  // More than the operations that a session remembers.
  for (let n = 1; n <= 40; n++) await write(other, { b: `${n}` })
  arrive()
  await untilTriedAgain('redis')
  expect(await read(other, 'a')).toEqual({ a: 'new' })
})

test('a write whose answer was lost counts, even if another process has meanwhile applied it late', async () => {
  const { world, settled, start, write, read, begin, until } = setUpStage()
  const [one, other] = [start('one', { isWriteBehind: false }), start('other')]
  await begin(one, { a: 'first' })
  world.servers.redis = 'down'
  await write(other, { a: 'other' })
  world.servers.redis = 'up'
  world.losesAnswerOf = 'redis'
  const writing = one.store.set(SESSION, { keys: { session: { a: 'one' } } })
  await until('redis commit, and the answer is lost')
  one.condition = 'stalled'
  expect(await read(other, 'a')).toEqual({ a: 'other' })
  one.condition = 'running'
  expect(await settled(writing)).toMatchObject({ durability: 'durable' })
  for (const process of [one, other]) expect(await read(process, 'a')).toEqual({ a: 'one' })
})

test('a call that has timed out overwrites nothing that was written after it', async () => {
  const { world, settled, start, write, read, begin, pass, until } = setUpStage()
  const one = start('one')
  await begin(one, { a: 'first' })
  world.servers.mongo = 'frozen'
  await write(one, { b: 'before' })
  world.servers.redis = 'down'
  const old = one.store.set(SESSION, { keys: { session: { a: 'old' } } })
  old.catch(() => {})
  await pass(1990)
  world.servers.mongo = 'up'
  await until('mongo bulk') // what waited before it
  await until('mongo bulk')
  world.servers.mongo = 'frozen'
  await expect(settled(old)).rejects.toMatchObject({ code: 'TIMEOUT' })
  const arrive = world.holdUp('mongo')
  world.servers.mongo = 'up'
  await write(one, { a: 'new' })
  arrive()
  await pass(1900)
  expect(await read(one, 'a')).toEqual({ a: 'new' })
})

test('a deletion overtaken by a write past Redis still ends the session', async () => {
  const { world, settled, start, write, begin, untilTriedAgain } = setUpStage()
  const [one, other] = [start('one'), start('other')]
  await begin(one, { a: 'first' })
  world.servers.mongo = 'frozen'
  await settled(one.store.delete(SESSION))
  one.condition = 'dead'
  world.servers.mongo = 'up'
  world.servers.redis = 'down'
  await write(other, { a: 'other' }) // it knows nothing of the end
  world.servers.redis = 'up'
  await untilTriedAgain('redis')
  expect(await settled(other.store.get(SESSION))).toBeNull()
  world.redis.restore(new Map())
  expect(await settled(start('third').store.get(SESSION))).toBeNull()
})

test('a late deletion is carried out, and its call succeeds', async () => {
  const { world, settled, start, write, begin, untilTriedAgain } = setUpStage()
  const [one, other] = [start('one', { isWriteBehind: false }), start('other')]
  await begin(one, { a: 'first' })
  const { fencingToken } = await settled(one.store.claim(SESSION))
  world.servers.redis = 'down'
  await write(other, { a: 'other' })
  world.servers.redis = 'up'
  await settled(one.store.delete(SESSION, undefined, fencingToken))
  await untilTriedAgain('redis')
  for (const process of [one, other]) expect(await settled(process.store.get(SESSION))).toBeNull()
})

test('a read sent before the process knew that Redis had lost writes is not trusted', async () => {
  const { world, settled, start, write, read, begin } = setUpStage()
  const one = start('one', { isWriteBehind: false })
  await begin(one, { a: 'first' })
  const before = world.redis.snapshot()
  const set = (session: Record<string, string>) => one.store.set(SESSION, { keys: { session } })
  const writing = [set({ b: '1' }), set({ c: '2' })]
  await world.run(() => true) // they are sent
  const arrive = world.holdUp('redis')
  await write(one, { a: 'seen' })
  world.redis.restore(before)
  arrive() // with them Redis is as far as what has been seen, and lacks it
  expect(await read(one, 'a')).toEqual({ a: 'seen' })
  await settled(Promise.all(writing))
  expect(await read(one, 'a', 'b', 'c')).toEqual({ a: 'seen', b: '1', c: '2' })
})

test('a process that has deleted a session does not find it again in a Redis that has gone back', async () => {
  const { world, settled, start, begin } = setUpStage()
  const one = start('one')
  await begin(one, { a: 'first' })
  const before = world.redis.snapshot()
  await settled(one.store.delete(SESSION))
  await settled(one.reconciler.reconcileAll())
  world.redis.restore(before)
  expect(await settled(one.store.get(SESSION))).toBeNull()
})

test('a claim that reaches Redis after the claim of a later owner takes nothing from that owner', async () => {
  const { world, settled, start, begin, until, untilTriedAgain } = setUpStage()
  const [one, other] = [start('one'), start('other')]
  await begin(one)
  const claiming = one.store.claim(SESSION)
  claiming.catch(() => {})
  await until('mongo update') // its token in MongoDB
  world.servers.redis = 'frozen'
  await expect(settled(claiming)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  const arrive = world.holdUp('redis')
  world.servers.redis = 'up'
  const { fencingToken } = await settled(other.store.claim(SESSION))
  arrive()
  await untilTriedAgain('redis')
  expect(world.log).toContain('  one → redis claim')
  await settled(other.store.set(SESSION, { creds: { registrationId: 8 } }, undefined, fencingToken))
})

test('a write that leaves the outbox between the reading and the loading of a session is in what is loaded', async () => {
  const { world, settled, start, write, read, begin, until, untilTriedAgain } = setUpStage()
  const [one, other] = [start('one'), start('other')]
  await begin(one, { a: 'first', b: 'first' })
  world.servers.redis = 'down'
  await write(other, { c: 'past Redis' })
  world.servers.redis = 'up'
  await untilTriedAgain('redis')
  // `other` finds an empty outbox. Then `one` writes, and `other` finds Redis without the write past it.
  const aligning = other.store.getKeys(SESSION, 'session', ['c'])
  await until('other → redis HKEYS')
  other.condition = 'stalled'
  await write(one, { a: 'second', b: 'second' })
  one.condition = 'stalled'
  other.condition = 'running'
  await until('other → mongo find on')
  await until('other → mongo find on')
  const load = world.holdUp('redis')
  one.condition = 'running'
  await until('one → redis ack')
  load()
  expect(await settled(aligning)).toEqual({ c: 'past Redis' })
  expect(await read(one, 'a', 'b')).toEqual({ a: 'second', b: 'second' })
  expect(await read(one, 'c')).toEqual({ c: 'past Redis' })
})
