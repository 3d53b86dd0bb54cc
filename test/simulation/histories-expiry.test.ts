import { expect, test, vi } from 'vitest'
import { SESSION } from '../support/simulation/sim-process.js'
import { setUpStage } from '../support/simulation/stage.js'

// Fake timers do not replace those of this module.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/** The owner of an expired session may bring it back until another process has opened it in both databases. */

const TTL_MS = 60_000

test.each([false, true])(
  'a session that its owner brings back in Redis while another opens it can be opened; write-behind: %s',
  async isWriteBehind => {
    const { world, settled, start, begin, pass, until, read } = setUpStage()
    const [one, two, three] = ['one', 'two', 'three'].map(name =>
      start(name, { isWriteBehind, ttlMs: TTL_MS }),
    )
    if (!one || !two || !three) throw new Error('three processes')
    await begin(one)
    const { fencingToken } = await settled(one.store.claim(SESSION))
    await pass(TTL_MS + 1)
    const opening = two.store.claim(SESSION)
    await until('two → mongo update') // MongoDB has found the session expired, and Redis has not heard of the opening
    two.condition = 'stalled'
    const writing = one.store.set(SESSION, { keys: { session: { a: 'back' } } }, undefined, fencingToken)
    await settled(writing.catch(() => {}))
    two.condition = 'running'
    expect(await settled(opening)).toMatchObject({ creds: { registrationId: 7 } })
    expect(await read(two, 'a')).toEqual({ a: 'back' })
    world.redis.restore(new Map())
    expect(await settled(three.store.claim(SESSION))).toMatchObject({ creds: { registrationId: 7 } })
    expect(await read(three, 'a')).toEqual({ a: 'back' })
  },
)

test('an opening that fails half-way leaves an expired session to its owner, who may bring it back', async () => {
  const { world, settled, start, begin, pass, until, untilTriedAgain, read } = setUpStage()
  const [one, two, three] = ['one', 'two', 'three'].map(name => start(name, { ttlMs: TTL_MS }))
  if (!one || !two || !three) throw new Error('three processes')
  await begin(one)
  const { fencingToken } = await settled(one.store.claim(SESSION))
  await pass(TTL_MS + 1)
  const opening = two.store.claim(SESSION)
  await until('two → mongo update') // MongoDB has the token of the opening, and Redis will not get it
  world.servers.redis = 'down'
  await expect(settled(opening)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.servers.redis = 'up'
  await untilTriedAgain('redis')
  await settled(one.store.set(SESSION, { keys: { session: { a: 'back' } } }, undefined, fencingToken))
  expect(await settled(three.store.claim(SESSION))).toMatchObject({ creds: { registrationId: 7 } })
  expect(await read(three, 'a')).toEqual({ a: 'back' })
})
