import { expect, onTestFinished, test, vi } from 'vitest'
import { LEASE_MS, names, SESSION } from '../support/simulation/sim-process.js'
import { setUpStage } from '../support/simulation/stage.js'

// Fake timers do not replace those of this module.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/** Cases in which a server fails between two steps of a call. */

test('the entries ahead of a write are not forgotten when applying them to MongoDB fails', async () => {
  const { world, start, write, read, begin } = setUpStage()
  const [one, other] = [start('one'), start('other')]
  await begin(one)
  world.servers.mongo = 'frozen'
  await write(one, { a: 'one' })
  await write(other, { b: 'other' })
  other.condition = 'stalled'
  await write(one, { c: 'one' })
  world.servers.mongo = 'down'
  await world.run(() => /look\n.* mongo .*: lost/.test(world.log.join('\n')))
  world.servers.mongo = 'up'
  world.servers.redis = 'down'
  await expect(read(one, 'b')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.servers.redis = 'up'
  expect(await read(one, 'b')).toEqual({ b: 'other' })
})

test('an exclusive opening that loses Redis half-way does not mistake its own first attempt for another owner', async () => {
  const { world, settled, start, begin, until } = setUpStage()
  const one = start('one')
  await begin(one)
  const beganMs = Date.now()
  const claim = one.store.claim(SESSION, { exclusive: true })
  await until('mongo update') // the token and the lease
  world.servers.redis = 'down'
  await until('redis claim: lost')
  world.servers.redis = 'up'
  expect(await settled(claim)).toMatchObject({ fencingToken: expect.any(Number) })
  expect(Date.now() - beganMs).toBeLessThan(LEASE_MS)
  await expect(settled(start('other').store.claim(SESSION, { exclusive: true }))).rejects.toMatchObject({
    code: 'SESSION_LOCKED',
  })
})

test('a refused opening takes nothing from an owner whose last lease renewal MongoDB has missed', async () => {
  const { world, settled, start, begin, pass } = setUpStage()
  const [one, other] = [start('one'), start('other')]
  await begin(one)
  const { fencingToken } = await settled(one.store.claim(SESSION, { exclusive: true }))
  world.servers.mongo = 'down'
  await pass(0.8 * LEASE_MS)
  await settled(one.store.renewLease(SESSION, fencingToken))
  await pass(0.8 * LEASE_MS)
  world.servers.mongo = 'up'
  for (const exclusive of [true, false]) {
    await expect(settled(other.store.claim(SESSION, { exclusive }))).rejects.toMatchObject({
      code: 'SESSION_LOCKED',
    })
  }
  await settled(one.store.set(SESSION, { creds: { registrationId: 8 } }, undefined, fencingToken))
  await settled(one.store.renewLease(SESSION, fencingToken))
})

test('a value read from the outbox is not assumed to be in MongoDB after another process has written past Redis', async () => {
  const { world, start, write, read, begin, untilTriedAgain } = setUpStage()
  const [one, other, guest] = [start('one'), start('other'), start('guest')]
  await begin(one, { a: 'one' })
  world.servers.mongo = 'frozen'
  await write(other, { a: 'other' })
  other.condition = 'dead'
  expect(await read(one, 'a')).toEqual({ a: 'other' })
  world.servers.mongo = 'up'
  world.servers.redis = 'down'
  await write(guest, { g: 'guest' })
  await expect(read(one, 'a')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.servers.redis = 'up'
  await untilTriedAgain('redis')
  expect(await read(one, 'a')).toEqual({ a: 'other' })
})

test('the entries of another process no longer hold up reads once they have been applied to MongoDB', async () => {
  const { world, settled, start, write, read, begin } = setUpStage()
  const [one, other] = [start('one'), start('other')]
  await begin(one)
  world.servers.mongo = 'frozen'
  await write(other, { b: 'other' })
  other.condition = 'stalled'
  await write(one, { a: 'one' })
  world.servers.mongo = 'down'
  await world.run(() => /look\n.* mongo .*: lost/.test(world.log.join('\n')))
  world.servers.mongo = 'up'
  await settled(one.reconciler.reconcile(SESSION))
  world.servers.redis = 'down'
  expect(await read(one, 'a', 'b')).toEqual({ a: 'one', b: 'other' })
})

/** A process has died with `a: 'last'` in its outbox, and another one opens the session while MongoDB is away. */
async function openWithoutMongo() {
  const { world, settled, start, write, begin } = setUpStage()
  const former = start('former')
  await begin(former)
  world.servers.mongo = 'down'
  await write(former, { a: 'last' })
  former.condition = 'dead'
  const owner = start('owner', { isWriteBehind: false, opensDegraded: true })
  const { fencingToken } = await settled(owner.store.claim(SESSION))
  return { world, settled, owner, fencingToken }
}

test('an opening without MongoDB takes charge of the outbox, and its owner still reads it when Redis is gone', async () => {
  const { world, settled, owner, fencingToken } = await openWithoutMongo()
  world.servers.redis = 'down'
  world.servers.mongo = 'up'
  const read = owner.store.getKeys(SESSION, 'session', ['a'], fencingToken)
  expect(await settled(read)).toEqual({ a: 'last' })
})

test('an entry that an opening took charge of is read beside the write that follows it', async () => {
  const { world, settled, owner, fencingToken } = await openWithoutMongo()
  await settled(owner.store.set(SESSION, { keys: { session: { b: 'next' } } }, undefined, fencingToken))
  world.servers.redis = 'down'
  world.servers.mongo = 'up'
  const read = owner.store.getKeys(SESSION, 'session', ['a', 'b'], fencingToken)
  expect(await settled(read)).toEqual({ a: 'last', b: 'next' })
})

test('the entries ahead of a write whose answer was lost are not assumed to be known', async () => {
  const { world, start, write, read, begin, untilTriedAgain } = setUpStage()
  const [one, other] = [start('one'), start('other')]
  await begin(one, { b: 'first' })
  world.servers.mongo = 'down'
  await write(other, { b: 'of the other' })
  other.condition = 'dead'
  world.losesAnswerOf = 'redis'
  const lost = write(one, { a: 'given up' })
  await world.run(() => world.log.at(-1)?.endsWith('redis commit, and the answer is lost') ?? false)
  world.servers.redis = 'down'
  await expect(lost).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.servers.redis = 'up'
  await untilTriedAgain('redis')
  await write(one, { c: 'next' })
  world.servers.redis = 'down'
  world.servers.mongo = 'up'
  await untilTriedAgain('mongo')
  await expect(read(one, 'b')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.servers.redis = 'up'
  await untilTriedAgain('redis')
  expect(await read(one, 'a', 'b', 'c')).toEqual({ a: 'given up', b: 'of the other', c: 'next' })
})

test('a write that MongoDB refuses stays parked when the entries after it cannot be applied', async () => {
  const { world, start, write, begin, untilTriedAgain } = setUpStage()
  const [one, other] = [start('one'), start('other')]
  for (const process of [one, other]) await begin(process)
  world.servers.mongo = 'down'
  await write(one, { a: 'refused' })
  await write(one, { b: 'waiting' })
  one.condition = 'dead'
  const key = names.of(SESSION)[2] as string
  const entryOf = (version: string) => JSON.parse(String(world.redis.run('HGET', key, version)))
  const patch = { keys: { session: { ['/'.repeat(1000)]: null } } }
  world.redis.run('HSET', key, '3', JSON.stringify({ ...entryOf('3'), patch }))
  other.reconciler.start()
  onTestFinished(() => other.reconciler.stop())
  await untilTriedAgain('mongo') // it looks through the outboxes meanwhile
  expect(entryOf('3')).toMatchObject({ status: 'failed', attempts: 2, lastError: 'INVALID_KEY' })
  expect(entryOf('4')).toMatchObject({ status: 'pending' })
})

test('a session that only Redis has kept alive is opened by a process whose clock is behind', async () => {
  const { world, settled, start, begin, read } = setUpStage()
  const ttlMs = 60_000
  await begin(start('one', { ttlMs }), { a: 'first' })
  world.jumpClock('mongo', 2 * ttlMs)
  const two = start('two', { ttlMs })
  expect(await settled(two.store.claim(SESSION))).toMatchObject({ creds: { registrationId: 7 } })
  world.redis.restore(new Map())
  expect(await read(two, 'a')).toEqual({ a: 'first' })
})

test('a session that MongoDB has lost is restored to it whole by the next write', async () => {
  const { world, start, write, read, begin, pass } = setUpStage()
  const one = start('one')
  await begin(one, { a: 'before', both: 'before' })
  world.mongo.delete({})
  await write(one, { b: 'after', both: 'after' })
  await pass(100)
  world.redis.restore(new Map())
  expect(await read(start('other'), 'a', 'b', 'both')).toEqual({ a: 'before', b: 'after', both: 'after' })
})

test('the writes made since MongoDB lost a session are not taken for the whole session', async () => {
  const { world, settled, start, read, begin, until } = setUpStage()
  const one = start('one', { isWriteBehind: false })
  await begin(one, { a: 'before' })
  world.mongo.delete({})
  const writing = one.store.set(SESSION, { keys: { session: { b: 'after' } } })
  await until('one → mongo bulk')
  world.servers.mongo = 'down'
  await settled(writing)
  expect(await read(one, 'a', 'b')).toEqual({ a: 'before', b: 'after' }) // nothing waits for MongoDB
  world.redis.restore(new Map())
  world.servers.mongo = 'up'
  await expect(read(start('other'), 'a')).rejects.toMatchObject({ code: 'SESSION_INCOMPLETE' })
})

test('a deleted session does not come back when its owner writes to a Redis that has gone back', async () => {
  const { world, settled, start, begin } = setUpStage()
  const [one, admin] = [start('one'), start('admin', { isWriteBehind: false })]
  await begin(one, { a: 'before' })
  const { fencingToken } = await settled(one.store.claim(SESSION))
  await settled(one.reconciler.reconcileAll())
  const before = world.redis.snapshot()
  await settled(admin.store.delete(SESSION))
  world.redis.restore(before)
  const set = (a: string) => one.store.set(SESSION, { keys: { session: { a } } }, undefined, fencingToken)
  await settled(Promise.allSettled([set('x'), set('y')]))
  const { creds } = await settled(start('other').store.claim(SESSION))
  expect(creds).toBeNull()
})

test('an owner whose writes Redis has lost is fenced after an opening that got no further than MongoDB', async () => {
  const { world, settled, start, begin, until, untilTriedAgain } = setUpStage()
  const [owner, opener] = [start('owner'), start('opener')]
  await begin(owner, { a: 'first' })
  const { fencingToken } = await settled(owner.store.claim(SESSION))
  opener.store.claim(SESSION).catch(() => {})
  await until('opener → mongo update')
  opener.condition = 'dead'
  world.servers.mongo = 'down'
  const patch = { keys: { session: { a: 'second' } } }
  const written = await settled(owner.store.set(SESSION, patch, undefined, fencingToken))
  expect(written).toMatchObject({ durability: 'outbox' })
  world.redis.restore(new Map())
  world.servers.mongo = 'up'
  await untilTriedAgain('mongo')
  const read = owner.store.getKeys(SESSION, 'session', ['a'], fencingToken)
  await expect(settled(read)).rejects.toMatchObject({ code: 'FENCED' })
})
