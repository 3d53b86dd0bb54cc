import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { afterAll, beforeAll } from 'vitest'
import type { HybridOptions, OutboxEntry, QueueAdapter } from '../../../src/hybrid/index.js'
import { shareServers } from './hybrid-stores.js'

/** Its jobs are never done. */
export const IDLE: QueueAdapter = { add: async () => {}, close: async () => {} }

/** Servers for the tests of a file, and how to look at the outbox of session `s`: each `setUp` is a place of its own. */
export function useOutbox() {
  const { servers, open } = shareServers()
  let client: Redis
  let durable: MongoClient
  let places = 0
  beforeAll(() => {
    client = new Redis(servers.redis.url)
    durable = new MongoClient(servers.mongo.url)
  })
  afterAll(() => Promise.all([client?.quit(), durable?.close()]))

  /** `open` opens further stores on the same place: as in other processes. */
  function setUp(options: HybridOptions = {}) {
    const name = `outbox-${process.pid}-${places++}`
    const place = { prefix: name, mongoCollection: name, mongoDatabase: 'outbox' }
    let opened = 0
    const openHere = (more: HybridOptions = {}) =>
      open({ ...place, redisOptions: { connectionName: `${name}-${opened++}` }, ...options, ...more })
    const key = `${name}:outbox:{s}`
    const entries = async (): Promise<OutboxEntry[]> => {
      const stored = await client.hgetall(key)
      const versions = Object.keys(stored).sort((a, b) => Number(a) - Number(b))
      return versions.map(version => JSON.parse(stored[version] as string))
    }
    const change = async (version: number, members: Partial<OutboxEntry>) => {
      const [entry] = (await entries()).filter(one => one.version === version)
      await client.hset(key, version, JSON.stringify({ ...entry, ...members }))
    }
    /** What MongoDB has without Redis. */
    const inMongo = async () => {
      const stored = await client.dumpBuffer(key)
      for (const one of await client.keys(`${name}:{*`)) await client.del(one)
      await client.del(key)
      const found = await (await openHere()).get('s')
      if (stored) await client.restore(key, 0, stored)
      return found
    }
    const documents = durable.db('outbox').collection<{ _id: string; v?: number }>(name)
    return { client, open: openHere, key, entries, change, inMongo, documents, name }
  }

  return { servers, setUp }
}
