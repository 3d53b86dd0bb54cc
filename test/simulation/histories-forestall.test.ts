import { expect, test, vi } from 'vitest'
import { setUpStage } from '../support/simulation/stage.js'

// The module's own timers are not those that are made virtual.
vi.mock('node:timers/promises', () => ({
  setTimeout: (ms: number, value: unknown) => new Promise(resolve => setTimeout(resolve, ms, value)),
}))

test('what forestalls a lost write past Redis does not pass for a write that waits in Redis', async () => {
  const { world, start, write, read, begin, until, untilTriedAgain } = setUpStage()
  const [one, other, guest] = [start('one', { isWriteBehind: false }), start('other'), start('guest')]
  await begin(one, { a: 'first' })
  // `one` writes past Redis, and gives up: MongoDB may still be asked to carry it out.
  world.servers.redis = 'down'
  const lost = write(one, { c: 'lost' })
  lost.catch(() => {})
  await until('mongo find on')
  world.servers.mongo = 'frozen'
  await expect(lost).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  world.servers.redis = 'up'
  await untilTriedAgain('redis')
  // `other` writes to Redis alone, `guest` reads it there.
  await write(other, { a: 'second' })
  other.condition = 'dead'
  expect(await read(guest, 'a')).toEqual({ a: 'second' })
  world.servers.mongo = 'up'
  await untilTriedAgain('mongo')
  const aligning = read(one, 'a')
  aligning.catch(() => {})
  await until('mongo update')
  world.servers.redis = 'down'
  await expect(read(guest, 'a')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
})
