import { expect, test, vi } from 'vitest'
import type { AuthStore } from '../../src/index.js'
import { names, SESSION } from '../support/simulation/sim-process.js'
import { setUpStage } from '../support/simulation/stage.js'

// Fake timers do not replace those of this module.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/** A deletion is a write: it reports its durability, and is not forgotten. */

const WRITE_THROUGH = { isWriteBehind: false }

test('a deletion reports whether MongoDB has it', async () => {
  const { world, settled, start, begin, untilTriedAgain } = setUpStage()
  const one = start('one', WRITE_THROUGH)
  await begin(one)
  world.servers.mongo = 'down'
  expect(await settled(one.store.delete(SESSION))).toEqual({ durability: 'outbox' })
  world.servers.mongo = 'up'
  await untilTriedAgain('mongo')
  expect(await settled(one.store.delete(SESSION))).toEqual({ durability: 'durable' })
  await begin(one)
  expect(await settled(one.store.delete(SESSION))).toEqual({ durability: 'durable' })
  await begin(one)
  world.servers.redis = 'down'
  expect(await settled(one.store.delete(SESSION))).toEqual({ durability: 'durable' })
})

test('a deletion in write-behind reports that it waits in the outbox', async () => {
  const { settled, start, begin } = setUpStage()
  const one = start('one')
  await begin(one)
  expect(await settled(one.store.delete(SESSION))).toEqual({ durability: 'outbox' })
})

test.each([true, false])(
  'a process applies the deletion that it still holds before it opens the session, even if Redis has lost it (write-behind: %s)',
  async isWriteBehind => {
    const { world, settled, start, begin, untilTriedAgain } = setUpStage()
    const one = start('one', { isWriteBehind })
    await begin(one, { a: 'before' })
    world.servers.mongo = 'down'
    await settled(one.store.delete(SESSION))
    world.redis.restore(new Map())
    await expect(settled(one.store.claim(SESSION))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    world.servers.mongo = 'up'
    await untilTriedAgain('mongo')
    expect(await settled(one.store.claim(SESSION))).toMatchObject({ creds: null })
    await begin(one)
    expect(await settled(one.store.getKeys(SESSION, 'session', ['a']))).toEqual({})
  },
)

test.each<[string, (store: AuthStore, token: number) => Promise<unknown>, object | null]>([
  [
    'write',
    (store, token) => store.set(SESSION, { keys: { session: { b: 'new' } } }, undefined, token),
    { a: 'old', b: 'new' },
  ],
  ['read', (store, token) => store.getKeys(SESSION, 'session', ['a'], token), { a: 'old' }],
  ['deletion', (store, token) => store.delete(SESSION, undefined, token), null],
])(
  'the %s of an owner does not believe a Redis that has gone back behind its opening, to a deletion',
  async (name, call, keys) => {
    const { world, settled, start, begin } = setUpStage()
    const [one, two] = [start('one', WRITE_THROUGH), start('two', WRITE_THROUGH)]
    await begin(one, { a: 'old' })
    world.servers.mongo = 'down'
    await settled(one.store.delete(SESSION))
    const deleted = world.redis.snapshot()
    world.redis.restore(new Map())
    one.condition = 'dead'
    world.servers.mongo = 'up'
    const { fencingToken } = await settled(two.store.claim(SESSION))
    expect(await settled(two.store.getKeys(SESSION, 'session', ['a'], fencingToken))).toEqual({ a: 'old' })
    world.redis.restore(deleted)
    const answer = await settled(call(two.store, fencingToken))
    if (name === 'read') expect(answer).toEqual(keys)
    expect((await settled(two.store.get(SESSION)))?.data.keys.session ?? null).toEqual(keys)
  },
)

test('a write of keys begins no half session beside a deletion that Redis has lost', async () => {
  const { world, settled, start, begin, read, write } = setUpStage()
  const [one, two] = [start('one', WRITE_THROUGH), start('two', WRITE_THROUGH)]
  await begin(one, { a: 'old' })
  await read(two, 'a')
  const replica = world.redis.snapshot()
  await settled(one.store.delete(SESSION))
  world.redis.restore(replica)
  await expect(write(two, { b: 'new' })).rejects.toMatchObject({ code: 'SESSION_INCOMPLETE' })
  for (const { store } of [one, two]) expect(await settled(store.get(SESSION))).toBeNull()
})

test.each([true, false])(
  'a session that begins after a deletion reaches MongoDB even if the answer to its first write was lost (write-behind: %s)',
  async isWriteBehind => {
    const { world, settled, start, begin } = setUpStage()
    const [one, two] = [start('one', { isWriteBehind }), start('two')]
    await begin(one, { a: 'old' })
    await settled(one.store.delete(SESSION))
    await settled(one.reconciler.reconcileAll())
    world.losesAnswerOf = 'redis'
    const creds = { registrationId: 8 }
    await settled(one.store.set(SESSION, { creds, keys: { session: { b: 'new' } } }))
    await settled(one.reconciler.reconcileAll())
    world.redis.restore(new Map())
    expect((await settled(two.store.get(SESSION)))?.data).toMatchObject({
      creds,
      keys: { session: { b: 'new' } },
    })
  },
)

test.each([true, false])(
  'a deletion that Redis has lost leaves the session of an owner who opens it next, though clocks have gone back (write-behind: %s)',
  async isWriteBehind => {
    const { world, settled, start, begin, untilTriedAgain } = setUpStage()
    const [one, two] = [start('one', { isWriteBehind }), start('two', WRITE_THROUGH)]
    const { fencingToken } = await settled(one.store.claim(SESSION))
    await begin(one, { a: 'old' })
    const replica = world.redis.snapshot()
    world.servers.mongo = 'down'
    expect(await settled(one.store.delete(SESSION, undefined, fencingToken))).toEqual({
      durability: 'outbox',
    })
    one.condition = 'stalled'
    world.redis.restore(replica)
    world.servers.mongo = 'up'
    for (const side of ['redis', 'mongo'] as const) world.jumpClock(side, -300_000)
    const next = await settled(two.store.claim(SESSION))
    expect(next.fencingToken).toBe(fencingToken + 1) // as high as the tombstone that Redis has lost
    await settled(two.store.set(SESSION, { keys: { session: { a: 'new' } } }, undefined, next.fencingToken))
    one.condition = 'running'
    await untilTriedAgain('mongo')
    await untilTriedAgain('mongo')
    world.redis.restore(new Map())
    expect((await settled(two.store.get(SESSION)))?.data.keys.session).toEqual({ a: 'new' })
  },
)

test('a deletion without a token ends a session whose latest opening only MongoDB has', async () => {
  const { settled, start, begin, until, untilTriedAgain } = setUpStage()
  const [one, admin] = [start('one'), start('admin', WRITE_THROUGH)]
  await begin(one)
  const claiming = one.store.claim(SESSION)
  claiming.catch(() => {})
  await until('mongo update') // its token in MongoDB
  one.condition = 'dead'
  expect(await settled(admin.store.delete(SESSION))).toEqual({ durability: 'durable' })
  await untilTriedAgain('redis')
  expect(await settled(start('other').store.claim(SESSION))).toMatchObject({ creds: null })
})

test('a deletion that has failed and arrives late does not remove what was written after it', async () => {
  const { world, settled, start, write, read, begin, until, untilTriedAgain } = setUpStage()
  const [one, admin] = [start('one'), start('admin', WRITE_THROUGH)]
  await begin(one)
  world.servers.redis = 'down'
  const deleting = admin.store.delete(SESSION)
  deleting.catch(() => {})
  await until('mongo find on')
  world.servers.mongo = 'frozen'
  await expect(settled(deleting)).rejects.toMatchObject({ code: 'TIMEOUT' })
  const arrive = world.holdUp('mongo')
  world.servers.redis = 'up'
  world.servers.mongo = 'up'
  await untilTriedAgain('mongo')
  expect(await read(admin, 'a')).toEqual({})
  world.servers.mongo = 'frozen'
  expect(await write(admin, { a: 'later' })).toMatchObject({ durability: 'outbox' })
  const go = world.holdUp('mongo')
  arrive()
  world.servers.mongo = 'up'
  await until('mongo update')
  go()
  await untilTriedAgain('mongo')
  world.redis.restore(new Map())
  expect(await read(admin, 'a')).toEqual({ a: 'later' })
})

test('a process that has deleted a session past Redis does not find it again in a Redis that has gone back', async () => {
  const { world, settled, start, begin, untilTriedAgain } = setUpStage()
  const one = start('one', WRITE_THROUGH)
  await begin(one, { a: 'before' })
  const { fencingToken } = await settled(one.store.claim(SESSION))
  const before = world.redis.snapshot()
  world.servers.redis = 'down'
  await settled(one.store.delete(SESSION, undefined, fencingToken))
  world.servers.redis = 'up'
  await untilTriedAgain('redis')
  await expect(settled(one.store.releaseLease(SESSION, fencingToken))).rejects.toMatchObject({
    code: 'FENCED',
  })
  world.redis.restore(before)
  expect(await settled(one.store.get(SESSION))).toBeNull()
})

test('the deletion of a session that is half in Redis and absent from MongoDB ends only after that half is gone', async () => {
  const { world, settled, start, begin, until } = setUpStage()
  const [one, other] = [start('one'), start('other', WRITE_THROUGH)]
  await begin(one)
  world.mongo.delete({})
  world.redis.run('DEL', names.of(SESSION)[0]) // half of it
  const deleting = other.store.delete(SESSION)
  await until('redis peek')
  await until('redis peek') // of the deletion
  world.redis.run('HSET', names.of(SESSION)[2] as string, '1', 'late') // which keeps it from being replaced
  expect(await settled(deleting)).toEqual({ durability: 'durable' })
  expect(await settled(start('third').store.get(SESSION))).toBeNull()
})
