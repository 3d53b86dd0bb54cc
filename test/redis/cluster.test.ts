import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { type Logger, nullLogger } from '../../src/core/logger.js'
import { createRedisStore } from '../../src/redis/index.js'
import { describeAuthState } from '../conformance/auth-state-suite.js'
import { describeAuthStore } from '../conformance/auth-store-suite.js'
import { describeBackend } from '../conformance/backend-suite.js'
import { type RedisClusterServers, startRedisCluster } from '../support/redis/redis-cluster.js'
import { createRedisDatabase, openCluster } from '../support/redis/redis-database.js'

let servers: RedisClusterServers
beforeAll(async () => {
  servers = await startRedisCluster()
}, 120_000)
afterAll(() => servers?.stop())

const create = async () => createRedisDatabase({ cluster: servers.nodes })
describeBackend('a Redis Cluster', create)
describeAuthStore('a Redis Cluster', create)
describeAuthState('a Redis Cluster', create)

test('sessions on every master are listed, page by page, even by the first call of a store', async () => {
  const database = await create()
  const store = await database.openStore()
  const ids = Array.from({ length: 60 }, (_, n) => `bot-${n}`)
  await Promise.all(ids.map(sessionId => store.set(sessionId, { creds: {} })))
  const client = openCluster(servers.nodes)
  const warnings: string[] = []
  const logger: Logger = { ...nullLogger, warn: (_context, text) => warnings.push(text) }
  const options = { redis: client, prefix: database.prefix, security: { logger } }
  const fresh = await createRedisStore(options)
  onTestFinished(async () => {
    await store.close()
    await fresh.close()
    client.disconnect()
    await database.remove()
  })
  const found: string[] = []
  let cursor: string | null | undefined
  while (cursor !== null) {
    const page = await fresh.list({ limit: 7, cursor })
    expect(page.sessionIds.length).toBeLessThanOrEqual(7)
    found.push(...page.sessionIds)
    cursor = page.cursor
  }
  expect(found.sort()).toEqual(ids.sort())
  await expect.poll(() => warnings.length).toBe(3) // each master keeps nothing on its disk
})
