import { spawn } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { deletion, openBackends, put } from '../conformance/backend/harness.js'
import { createHybridDatabase } from '../support/hybrid/hybrid-database.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

const STORES = 6
const OPENINGS = 8

let redis: RedisServer
let mongo: MongoServer
beforeAll(async () => {
  ;[redis, mongo] = await Promise.all([startRedis({ shared: true }), startMongo({ shared: true })])
}, 240_000)
afterAll(() => Promise.all([redis?.stop(), mongo?.stop()]))

/** Uses processor time, like the other processes of a busy machine. */
function keepBusy(processes: number): void {
  for (let n = 0; n < processes; n++) {
    const child = spawn(process.execPath, ['-e', 'for (;;);'])
    onTestFinished(() => void child.kill('SIGKILL'))
  }
}

describe.each([{ enableWriteBehind: false }, { enableWriteBehind: true }])('with %j', options => {
  const create = async () => createHybridDatabase({ redis: { url: redis.url }, mongoUrl: mongo.url }, options)

  test('concurrent openings from many stores each take the session in turn, on a busy machine', async () => {
    keepBusy(4)
    const open = await openBackends(create)
    const backends = await Promise.all(Array.from({ length: STORES }, () => open()))
    const claims = backends.flatMap(backend => Array.from({ length: OPENINGS }, () => backend.claim('s')))
    const tokens = (await Promise.all(claims)).map(({ fencingToken }) => fencingToken)
    expect(new Set(tokens).size).toBe(STORES * OPENINGS)
    expect((await open().then(last => last.claim('s'))).fencingToken).toBeGreaterThan(Math.max(...tokens))
  }, 120_000)

  test('concurrent openings, writes and deletions all succeed, on a busy machine', async () => {
    keepBusy(4)
    const open = await openBackends(create)
    const backends = await Promise.all(Array.from({ length: STORES }, () => open()))
    const calls = backends.flatMap((backend, n) => [
      backend.claim('s'),
      put(backend, 's', { [`k${n}`]: `${n}` }),
      backend.delete('s', deletion()),
      backend.claim('s'),
    ])
    const failures = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected')
    expect(failures).toEqual([])
  }, 120_000)
})
