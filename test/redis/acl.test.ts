import { Cluster, Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { createRedisStore, type RedisOptions, useRedisAuthState } from '../../src/redis/index.js'
import { documentedRights } from '../support/redis/documented-rights.js'
import { startRedisCluster } from '../support/redis/redis-cluster.js'
import type { Flavour } from '../support/redis/redis-program.js'
import { startRedis } from '../support/redis/redis-server.js'

/** Every call of a store. */
async function live(options: RedisOptions): Promise<void> {
  const store = await createRedisStore({ ...options, cache: false })
  const bot = await useRedisAuthState({ sessionId: 'acl', store, ownership: 'exclusive' })
  await bot.saveCreds()
  await bot.state.keys.set({ 'lid-mapping': { a: '1', b: '2' } })
  await bot.state.keys.set({ 'lid-mapping': { b: null } })
  expect(await bot.state.keys.get('lid-mapping', ['a', 'b'])).toEqual({ a: '1' })
  const many = Object.fromEntries(Array.from({ length: 3500 }, (_, n) => [`k${n}`, n]))
  await store.set('acl', { keys: { session: many } })
  expect((await store.get('acl'))?.data.keys.session).toEqual(many)
  expect(await store.getKeys('acl', 'session', Object.keys(many))).toEqual(many)
  expect(await store.listKeys('acl')).toHaveLength(3501)
  expect((await store.list()).sessionIds).toContain('acl')
  await bot.close()
  await store.touch('acl', 0)
  await store.touch('acl', 3600)
  await store.delete('acl')
  expect(await store.get('acl')).toBeNull()
  expect(await store.isHealthy()).toBe(true)
  await store.close()
}

test.each<Flavour>(['redis-7', 'redis-8', 'valkey'])(
  'the rights that docs/redis.md names are enough on %s',
  async flavour => {
    const server = await startRedis({ flavour })
    const admin = new Redis(server.url)
    onTestFinished(async () => {
      admin.disconnect()
      await server.stop()
    })
    const { rights } = await documentedRights()
    await admin.call('ACL', 'SETUSER', 'bots', 'on', '>secret', ...rights)
    await live({ redisUrl: server.url.replace('//', '//bots:secret@') })
    expect((await admin.call('ACL', 'LOG')) as unknown[]).toEqual([])
  },
)

test('the rights that docs/redis.md names for a Cluster are enough, and neither can be left out', async () => {
  const servers = await startRedisCluster()
  onTestFinished(() => servers.stop())
  const { rights, onCluster } = await documentedRights()
  const admins = servers.nodes.map(({ port }) => new Redis(port, '127.0.0.1'))
  const setUser = (...given: string[]) =>
    Promise.all(admins.map(admin => admin.call('ACL', 'SETUSER', 'bots', 'reset', 'on', '>secret', ...given)))
  const open = () => {
    const redisOptions = { username: 'bots', password: 'secret' }
    const cluster = new Cluster(servers.nodes, { redisOptions, clusterRetryStrategy: () => null })
    cluster.on('error', () => {})
    onTestFinished(() => cluster.disconnect())
    return cluster
  }
  onTestFinished(() => {
    for (const admin of admins) admin.disconnect()
  })
  await setUser(...rights, ...onCluster)
  await live({ redis: open() })
  for (const right of onCluster) {
    await setUser(...rights, ...onCluster.filter(other => other !== right))
    const store = await createRedisStore({ redis: open(), resilience: { maxRetries: 0 } })
    await expect(store.set('s', { creds: { registrationId: 1 } })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    })
  }
})

test('a user without INFO and CONFIG lacks only the warnings', async () => {
  const server = await startRedis()
  const admin = new Redis(server.url)
  onTestFinished(async () => {
    admin.disconnect()
    await server.stop()
  })
  const { rights } = await documentedRights()
  const fewer = rights.filter(right => !['+info', '+config|get'].includes(right))
  await admin.call('ACL', 'SETUSER', 'bots', 'on', '>secret', ...fewer)
  const redisUrl = server.url.replace('//', '//bots:secret@')
  await live({ redisUrl, redisOptions: { enableReadyCheck: false } })
})
