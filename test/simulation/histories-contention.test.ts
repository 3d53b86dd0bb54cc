import { expect, test, vi } from 'vitest'
import { SESSION } from '../support/simulation/sim-process.js'
import { setUpStage } from '../support/simulation/stage.js'

// Fake timers do not replace those of this module.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

/** Calls that compete for one session while both servers are healthy. */

test.each([true, false])(
  'concurrent openings from many processes each take the session in turn (write-behind: %s)',
  async isWriteBehind => {
    const { settled, start, begin } = setUpStage()
    const processes = Array.from({ length: 12 }, (_, n) => start(`p${n}`, { isWriteBehind }))
    await begin(start('first', { isWriteBehind }))
    const claims = processes.flatMap(({ store }) => Array.from({ length: 5 }, () => store.claim(SESSION)))
    const tokens = (await settled(Promise.all(claims))).map(({ fencingToken }) => fencingToken)
    expect(new Set(tokens).size).toBe(tokens.length)
    const { fencingToken } = await settled(start('last').store.claim(SESSION))
    expect(fencingToken).toBeGreaterThan(Math.max(...tokens))
  },
)

test('a session that Redis keeps evicting can still be opened, written and read', async () => {
  const { world, settled, start, begin } = setUpStage()
  const one = start('one', { isWriteBehind: false })
  await begin(one, { a: 'before' })
  const evictions = setInterval(() => world.redis.restore(new Map()), 1)
  let runs = 0
  const evictOften = () => {
    if (++runs < 40) world.redis.restore(new Map())
  }
  const { redis } = world
  const run = redis.run.bind(redis)
  redis.run = (name, ...input) => {
    const reply = run(name, ...input)
    if (name === 'HKEYS') evictOften()
    return reply
  }
  clearInterval(evictions)
  const { fencingToken } = await settled(one.store.claim(SESSION))
  await settled(one.store.set(SESSION, { keys: { session: { b: 'after' } } }, undefined, fencingToken))
  expect(await settled(one.store.getKeys(SESSION, 'session', ['a', 'b']))).toEqual({
    a: 'before',
    b: 'after',
  })
})
