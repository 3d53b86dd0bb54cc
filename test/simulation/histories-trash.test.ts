import { expect, test, vi } from 'vitest'
import { SESSION, type SimProcess } from '../support/simulation/sim-process.js'
import { setUpStage } from '../support/simulation/stage.js'

// Fake timers do not replace those of this module.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/** The copy of a deleted session is a session itself, and is deleted and written by the same rules. */

function setUpTrash() {
  const stage = setUpStage()
  const start = (name: string) => stage.start(name, { restores: true, isWriteBehind: true })
  const pair = ({ store }: SimProcess, id: string) =>
    stage.settled(
      store.set(SESSION, { creds: { registrationId: 7, me: { id } }, keys: { session: { a: id } } }),
    )
  const remove = ({ store }: SimProcess) => stage.settled(store.delete(SESSION))
  /** `undefined`: there was nothing to restore. */
  const restore = async ({ store }: SimProcess) => {
    if ((await stage.settled(store.restore(SESSION))) === null) return undefined
    return (await stage.settled(store.get(SESSION)))?.data.keys.session
  }
  return { ...stage, start, pair, remove, restore }
}

test('a deletion is restorable also if Redis had gone back to the copy of an earlier one', async () => {
  const { world, start, pair, remove, restore, until, untilTriedAgain } = setUpTrash()
  const one = start('one')
  await pair(one, 'first')
  await remove(one)
  const earlier = world.redis.snapshot()
  await pair(one, 'second')
  const removing = remove(one)
  await until('redis read') // a deletion has to begin with both databases
  world.servers.redis = 'down'
  await removing
  world.redis.restore(earlier)
  world.servers.redis = 'up'
  await untilTriedAgain('redis')
  const two = start('two')
  await pair(two, 'third')
  await remove(two)
  world.redis.restore(new Map())
  expect(await restore(start('three'))).toEqual({ a: 'third' })
})

test('a deletion is refused if the database that it reads knows a later owner, though the other one would delete', async () => {
  const { world, settled, start, pair, until, untilTriedAgain } = setUpTrash()
  const [one, two] = [start('one'), start('two')]
  await pair(one, 'first')
  const { fencingToken } = await settled(one.store.claim(SESSION))
  const opening = two.store.claim(SESSION)
  await until('mongo update') // MongoDB has the token of the later owner, and Redis will not get it
  world.servers.redis = 'down'
  await expect(settled(opening)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.servers.redis = 'up'
  await untilTriedAgain('redis')
  const deleting = one.store.delete(SESSION, undefined, fencingToken)
  await until('redis claim') // of the copy
  world.servers.redis = 'down'
  await until('redis read: lost')
  world.servers.redis = 'up'
  await expect(settled(deleting)).rejects.toMatchObject({ code: 'FENCED' })
  expect(await settled(start('three').store.get(SESSION))).toMatchObject({
    data: { keys: { session: { a: 'first' } } },
  })
})

test('a copy that waits in the outbox of a process that has died reaches MongoDB by another one', async () => {
  const { world, settled, start, pair, remove, restore, until } = setUpTrash()
  const one = start('one')
  await pair(one, 'first')
  const removing = remove(one)
  await until('redis commit') // of the copy
  world.servers.mongo = 'down'
  await removing
  one.condition = 'dead'
  world.servers.mongo = 'up'
  await settled(start('two').reconciler.reconcileAll())
  world.redis.restore(new Map())
  expect(await restore(start('three'))).toEqual({ a: 'first' })
})
