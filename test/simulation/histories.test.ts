import { expect, onTestFinished, test, vi } from 'vitest'
import {
  LEASE_MS,
  type Mode,
  SESSION,
  type SimProcess,
  startProcess,
} from '../support/simulation/sim-process.js'
import { beginVirtualTime } from '../support/simulation/virtual-time.js'
import { World } from '../support/simulation/world.js'

// The module's own timers are not those that are made virtual.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/** What takes a server that fails between two steps of a call. */

const WRITE_BEHIND = { isWriteBehind: true, opensDegraded: false, hasCache: false }

function setUp() {
  const world = new World(1)
  onTestFinished(beginVirtualTime(world.random.next))
  world.isCalm = true
  const settled = async <T>(call: Promise<T>): Promise<T> => {
    let isOver = false
    const note = () => {
      isOver = true
    }
    call.then(note, note)
    await world.run(() => isOver)
    return call
  }
  const start = (name: string, mode: Partial<Mode> = {}) =>
    startProcess(world, name, { ...WRITE_BEHIND, ...mode })
  const write = ({ store }: SimProcess, session: Record<string, string>) =>
    settled(store.set(SESSION, { keys: { session } }))
  /** The session begins, and MongoDB has it. */
  const begin = async ({ store, reconciler }: SimProcess, session: Record<string, string> = {}) => {
    await settled(store.set(SESSION, { creds: { registrationId: 7 }, keys: { session } }))
    await settled(reconciler.reconcileAll())
  }
  return { world, settled, start, write, begin }
}

test('what waits before a write is not forgotten when bringing it to MongoDB fails', async () => {
  const { world, settled, start, write, begin } = setUp()
  const [one, other] = [start('one'), start('other')]
  await begin(one)
  world.servers.mongo = 'frozen'
  await write(one, { a: 'one' })
  await write(other, { b: 'other' })
  other.condition = 'stalled'
  await write(one, { c: 'one' })
  world.servers.mongo = 'down'
  await world.run(() => /HMGET\n.* mongo .*: lost/.test(world.log.join('\n')))
  world.servers.mongo = 'up'
  world.servers.redis = 'down'
  const read = () => settled(one.store.getKeys(SESSION, 'session', ['b']))
  await expect(read()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.servers.redis = 'up'
  expect(await read()).toEqual({ b: 'other' })
})

test('an exclusive opening that loses Redis half-way does not take its own first attempt for an owner', async () => {
  const { world, settled, start, begin } = setUp()
  const one = start('one')
  await begin(one)
  world.log.length = 0
  const logged = (line: string) => () => world.log.some(logged => logged.endsWith(line))
  const beganMs = Date.now()
  const claim = one.store.claim(SESSION, { exclusive: true })
  await world.run(logged('mongo update')) // the token and the lease
  world.servers.redis = 'down'
  await world.run(logged('redis claim: lost'))
  world.servers.redis = 'up'
  expect(await settled(claim)).toMatchObject({ fencingToken: expect.any(Number) })
  expect(Date.now() - beganMs).toBeLessThan(LEASE_MS)
  await expect(settled(start('other').store.claim(SESSION, { exclusive: true }))).rejects.toMatchObject({
    code: 'SESSION_LOCKED',
  })
})

test('what was read from Redis, and waits there, is not missing from MongoDB for a write past Redis of another', async () => {
  const { world, settled, start, write, begin } = setUp()
  const [one, other, guest] = [start('one'), start('other'), start('guest')]
  const read = () => settled(one.store.getKeys(SESSION, 'session', ['a']))
  await begin(one, { a: 'one' })
  world.servers.mongo = 'frozen'
  await write(other, { a: 'other' })
  other.condition = 'dead'
  expect(await read()).toEqual({ a: 'other' })
  world.servers.mongo = 'up'
  world.servers.redis = 'down'
  await write(guest, { g: 'guest' })
  await expect(read()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.servers.redis = 'up'
  await settled(new Promise(resolve => setTimeout(resolve, 1000))) // its breaker tries again
  expect(await read()).toEqual({ a: 'other' })
})

test('what waited beside the writes of a process is not looked for any more once it has been brought over', async () => {
  const { world, settled, start, write, begin } = setUp()
  const [one, other] = [start('one'), start('other')]
  await begin(one)
  world.servers.mongo = 'frozen'
  await write(other, { b: 'other' })
  other.condition = 'stalled'
  await write(one, { a: 'one' })
  world.servers.mongo = 'down'
  await world.run(() => /HMGET\n.* mongo .*: lost/.test(world.log.join('\n')))
  world.servers.mongo = 'up'
  await settled(one.reconciler.reconcile(SESSION))
  world.servers.redis = 'down'
  expect(await settled(one.store.getKeys(SESSION, 'session', ['a', 'b']))).toEqual({ a: 'one', b: 'other' })
})

test('an opening without MongoDB takes charge of what waits in the outbox, and goes on when Redis is gone', async () => {
  const { world, settled, start, write, begin } = setUp()
  const former = start('former')
  await begin(former)
  world.servers.mongo = 'down'
  await write(former, { a: 'last' })
  former.condition = 'dead'
  const owner = start('owner', { isWriteBehind: false, opensDegraded: true })
  const { fencingToken } = await settled(owner.store.claim(SESSION))
  world.servers.redis = 'down'
  world.servers.mongo = 'up'
  const read = owner.store.getKeys(SESSION, 'session', ['a'], fencingToken)
  expect(await settled(read)).toEqual({ a: 'last' })
})

test('what is read from Redis while a write goes past it is missing from MongoDB all the same', async () => {
  const { world, settled, start, write, begin } = setUp()
  const [one, other] = [start('one'), start('other')]
  const read = () => one.store.getKeys(SESSION, 'session', ['a'])
  const logged = (line: string) => () => world.log.some(logged => logged.endsWith(line))
  await begin(one, { a: 'one' })
  world.servers.mongo = 'frozen'
  await write(other, { a: 'other' })
  other.condition = 'dead'
  world.servers.mongo = 'up'
  world.servers.redis = 'frozen'
  world.log.length = 0
  const writing = one.store.set(SESSION, { keys: { session: { b: 'one' } } })
  const beganMs = Date.now()
  await world.run(() => Date.now() - beganMs > 1200)
  const reading = read()
  await world.run(logged('mongo find on')) // it has all that has been seen
  world.servers.redis = 'up'
  expect(await settled(reading)).toEqual({ a: 'other' })
  await settled(writing)
  world.servers.redis = 'down'
  await expect(settled(read())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.servers.redis = 'up'
  await settled(new Promise(resolve => setTimeout(resolve, 1000))) // its breaker tries again
  expect(await settled(read())).toEqual({ a: 'other' })
})
