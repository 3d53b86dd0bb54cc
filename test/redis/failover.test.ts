import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { AuthStore, Rewind } from '../../src/index.js'
import { createRedisStore } from '../../src/redis/index.js'
import { startFaultProxy } from '../support/fault-proxy.js'
import { cutOff, findOwners } from '../support/redis/failover.js'
import { startRedisCluster } from '../support/redis/redis-cluster.js'
import { openCluster } from '../support/redis/redis-database.js'
import { MASTER_NAME, says, startRedisSentinels } from '../support/redis/redis-sentinel.js'
import type { RedisServer } from '../support/redis/redis-server.js'

const CREDS = { registrationId: 7 }
/**
 * Only the deadline ends a call. A failover takes a few seconds, and a minute where the Sentinels' clocks have jumped, as
 * on a paused machine: they then do nothing for 30 s, and an election that has failed is held again some time later.
 */
const PATIENT = {
  resilience: { operationTimeout: 150_000, maxRetries: 1000, retryBaseDelay: 200, retryMultiplier: 1 },
}

function watch(store: AuthStore): Rewind[] {
  const rewinds: Rewind[] = []
  store.onRewind(rewind => rewinds.push(rewind))
  return rewinds
}

/** A write acknowledged while no replica listened is lost with its master, but the process still holds it. */
async function expectHealed(store: AuthStore, rewinds: Rewind[], seen: number): Promise<void> {
  expect(await store.getKeys('s', 'session', ['replicated', 'only on the master'])).toEqual({
    replicated: 1,
    'only on the master': 2,
  })
  expect(rewinds).toMatchObject([{ sessionId: 's', seenVersion: seen, rewrittenFields: 1 }])
  expect((await store.set('s', { keys: { session: { after: 3 } } })).version).toBeGreaterThan(seen)
}

describe('a Cluster whose master dies', () => {
  async function setUp() {
    const cluster = await startRedisCluster()
    const client = openCluster(cluster.nodes)
    const store = await createRedisStore({ ...PATIENT, redis: client })
    onTestFinished(async () => {
      for (const server of cluster.servers) server.thaw()
      await store.close()
      client.disconnect()
      await cluster.stop()
    })
    await store.set('s', { creds: CREDS, keys: { session: { replicated: 1 } } })
    const servers = await findOwners(cluster.servers, 'baileys:auth:{s}:keys')
    await says(servers.replica.port, ['CLUSTER', 'COUNTKEYSINSLOT', servers.slot], /^2$/)
    return { store, client, rewinds: watch(store), ...servers }
  }

  test('writes go on after the failover, and nothing that was replicated is lost', async () => {
    const { store, master, rewinds } = await setUp()
    await master.kill()
    expect(await store.set('s', { keys: { session: { after: 3 } } })).toMatchObject({ version: 2 })
    expect(await store.getKeys('s', 'session', ['replicated', 'after'])).toEqual({ replicated: 1, after: 3 })
    expect(rewinds).toEqual([])
  })

  test('a lost write that was not replicated is noticed, written again by the process that holds it, and reported', async () => {
    const { store, master, replica, rewinds } = await setUp()
    await cutOff(master, [replica])
    const { version } = await store.set('s', { keys: { session: { 'only on the master': 2 } } })
    await master.kill()
    replica.thaw()
    await expectHealed(store, rewinds, version)
  })
})

describe('a slot that is moving', () => {
  test('never makes a key look absent, and a write waits until both hashes are on one node', async () => {
    const cluster = await startRedisCluster()
    const client = openCluster(cluster.nodes)
    const store = await createRedisStore({ ...PATIENT, redis: client })
    const { master: from, slot } = await findOwners(cluster.servers, 'baileys:auth:{s}:keys')
    const to = cluster.servers.slice(0, 3).find(server => server !== from) as RedisServer
    const [source, target] = [new Redis(from.url), new Redis(to.url)]
    onTestFinished(async () => {
      source.disconnect()
      target.disconnect()
      await store.close()
      client.disconnect()
      await cluster.stop()
    })
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    const [sourceId, targetId] = await Promise.all([source, target].map(node => node.call('CLUSTER', 'MYID')))
    await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', String(sourceId))
    await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', String(targetId))
    const move = (key: string) => source.call('MIGRATE', '127.0.0.1', `${to.port}`, key, '0', '5000')
    const read = () => store.getKeys('s', 'session', ['a'])

    expect(await read()).toEqual({ a: 1 })
    await move('baileys:auth:{s}:keys')
    expect(await read()).toEqual({ a: 1 })
    let isWritten = false
    const writing = store.set('s', { keys: { session: { b: 2 } } }).then(() => {
      isWritten = true
    })
    await sleep(300)
    expect(isWritten).toBe(false)
    await move('baileys:auth:{s}:creds')
    await writing
    expect(await read()).toEqual({ a: 1 })
    for (const node of [target, source]) await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', String(targetId))
    expect(await store.getKeys('s', 'session', ['a', 'b'])).toEqual({ a: 1, b: 2 })
  })
})

describe('Sentinels', { timeout: 200_000 }, () => {
  async function setUp() {
    const servers = await startRedisSentinels()
    const redisOptions = { sentinels: servers.sentinels, name: MASTER_NAME }
    const store = await createRedisStore({ ...PATIENT, redisOptions })
    onTestFinished(async () => {
      for (const replica of servers.replicas) replica.thaw()
      await store.close()
      await servers.stop()
    })
    await store.set('s', { creds: CREDS, keys: { session: { replicated: 1 } } })
    for (const { port } of servers.replicas) await says(port, ['DBSIZE'], /^2$/)
    return { store, rewinds: watch(store), ...servers }
  }

  test('lead to the new master when the old one dies', async () => {
    const { store, master } = await setUp()
    await master.kill()
    expect(await store.set('s', { keys: { session: { after: 3 } } })).toMatchObject({ version: 2 })
    expect(await store.getKeys('s', 'session', ['replicated', 'after'])).toEqual({ replicated: 1, after: 3 })
  })

  test('lead to a new master that lags, whose lost writes are noticed, written again and reported', async () => {
    const { store, master, replicas, rewinds } = await setUp()
    await cutOff(master, replicas)
    const { version } = await store.set('s', { keys: { session: { 'only on the master': 2 } } })
    await master.kill()
    for (const replica of replicas) replica.thaw()
    await expectHealed(store, rewinds, version)
  })

  test.each(["the store's own", 'a given'])(
    'are asked again by %s client that ioredis has ended, as it does if the failover comes while it asks them',
    async whose => {
      const { master, sentinels } = await setUp()
      const { port } = sentinels[0] as (typeof sentinels)[number]
      const proxy = await startFaultProxy(port)
      const redisOptions = {
        sentinels: [{ host: '127.0.0.1', port: proxy.port }],
        name: MASTER_NAME,
        updateSentinels: false,
      }
      const client = new Redis({ ...redisOptions, failoverDetector: true, lazyConnect: true })
      const isOwn = whose !== 'a given'
      const store = await createRedisStore({ ...PATIENT, ...(isOwn ? { redisOptions } : { redis: client }) })
      onTestFinished(async () => {
        await store.close()
        client.disconnect()
        await proxy.close()
      })
      expect(await store.getKeys('s', 'session', ['replicated'])).toEqual({ replicated: 1 })
      const announcements = new Redis(port, '127.0.0.1')
      await announcements.subscribe('+switch-master')
      const release = proxy.hold() // announcements still come through
      await master.kill()
      await once(announcements, 'message')
      announcements.disconnect()
      await sleep(100) // the store's client may get its own a little later
      release()
      expect(await store.getKeys('s', 'session', ['replicated'])).toEqual({ replicated: 1 })
    },
  )

  test('lose no write that the demoted master still acknowledged during a planned failover', async () => {
    const { store, sentinels } = await setUp()
    const sentinel = new Redis(sentinels[0]?.port ?? 0, '127.0.0.1')
    const acknowledged: Record<string, number> = {}
    let isOver = false
    const writing = (async () => {
      for (let n = 0; !isOver; n++) {
        await store.set('s', { keys: { session: { [`k${n % 50}`]: n } } })
        acknowledged[`k${n % 50}`] = n
      }
    })()
    await sleep(200)
    await sentinel.call('SENTINEL', 'FAILOVER', MASTER_NAME)
    await sleep(6000)
    isOver = true
    await writing
    sentinel.disconnect()
    expect(await store.getKeys('s', 'session', Object.keys(acknowledged))).toEqual(acknowledged)
  })
})
