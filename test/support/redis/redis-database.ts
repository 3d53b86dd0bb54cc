import { randomBytes } from 'node:crypto'
import { Cluster, Redis } from 'ioredis'
import { createRedisStore, type RedisOptions } from '../../../src/redis/index.js'
import { KeyNames } from '../../../src/redis/key-names.js'
import { openConnection } from '../../../src/redis/open-connection.js'
import { RedisBackend } from '../../../src/redis/redis-backend.js'
import type { StoreDatabase } from '../../conformance/auth-store/harness.js'

const STORE_MODULE = new URL('./redis-store-module.ts', import.meta.url).href

/** Where the servers of a test are; as JSON, so that another process can be told. */
export type Servers = { url: string } | { cluster: { host: string; port: number }[] }

export interface RedisTestDatabase extends StoreDatabase {
  readonly prefix: string
  readonly place: RedisOptions
  keys(pattern: string): Promise<string[]>
}

/** A prefix of its own on servers that are shared; what lies below it is removed in the end. */
export function createRedisDatabase(servers: Servers): RedisTestDatabase {
  const prefix = `test-${randomBytes(6).toString('hex')}`
  const { options, client, nodes, disconnect } = reach(servers)

  async function keys(pattern = `${prefix}:*`): Promise<string[]> {
    const found = await Promise.all(nodes().map(node => node.keys(pattern)))
    return found.flat()
  }

  async function dumpAll(): Promise<[string, Buffer][]> {
    const dumped = (await keys()).map(
      async (key): Promise<[string, Buffer]> => [key, (await client.dumpBuffer(key)) as Buffer],
    )
    return Promise.all(dumped)
  }

  async function clear(): Promise<void> {
    await Promise.all((await keys()).map(key => client.del(key)))
  }

  const place = { ...options, prefix }
  return {
    prefix,
    place,
    keys,
    async open({ ttlMs = null, now } = {}) {
      const { connection, release } = await openConnection(place, 5000)
      return new RedisBackend({ connection, release, names: new KeyNames(prefix), ttlMs, now })
    },
    openStore: given => createRedisStore({ ...given, ...place }),
    source: given => ({ module: STORE_MODULE, options: { servers, options: { ...given, prefix } } }),
    async remember() {
      const remembered = await dumpAll()
      return async () => {
        await clear()
        // A store may have written in between what is no longer acknowledged to anybody.
        for (const [key, bytes] of remembered) await client.restore(key, 0, bytes, 'REPLACE')
      }
    },
    async dump() {
      const read = (await keys()).map(async key => {
        const fields = await client.hgetallBuffer(key)
        return Buffer.concat([
          Buffer.from(key),
          ...Object.entries(fields).flatMap(([k, v]) => [Buffer.from(k), v]),
        ])
      })
      return Buffer.concat(await Promise.all(read))
    },
    async remove() {
      await clear()
      disconnect()
    },
  }
}

/** How to reach the servers: options for a store, and a client to look at them with. */
export function reach(servers: Servers) {
  if ('url' in servers) {
    const client = new Redis(servers.url)
    client.on('error', () => {}) // the server may be away on purpose
    const options: RedisOptions = { redisUrl: servers.url }
    return { options, client, nodes: () => [client], disconnect: () => client.disconnect() }
  }
  const given = openCluster(servers.cluster)
  const client = openCluster(servers.cluster)
  const options = { redis: given }
  const disconnect = () => {
    given.disconnect()
    client.disconnect()
  }
  return { options, client, nodes: () => client.nodes('master'), disconnect }
}

/** As docs/redis.md recommends it. */
export function openCluster(nodes: { host: string; port: number }[]): Cluster {
  return new Cluster(nodes, {
    retryDelayOnFailover: 500,
    retryDelayOnClusterDown: 500,
    redisOptions: { maxRetriesPerRequest: 1, socketTimeout: 5000 },
  })
}
