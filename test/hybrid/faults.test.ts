import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { createHybridStore, type HybridOptions } from '../../src/hybrid/index.js'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.js'
import { createHybridDatabase } from '../support/hybrid/hybrid-database.js'
import { countLosses, FAULT_COLUMNS, startLoad, toFaultRow, toRow } from '../support/hybrid/load.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { KEEPS_ALL, type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { killBurst } from '../support/store-child.js'

/** docs/guarantees.md shows the figures for 60 seconds. */
const OUTAGE_MS = Number(process.env.FAULT_SECONDS ?? 3) * 1000
const NOTHING = { lost: 0, torn: 0 }
/** For tests that check the result, not how long a busy machine takes. */
const PATIENT = { operationTimeout: 20_000 }
const KEEPS_SNAPSHOT = ['--save', '', '--appendonly', 'no']

interface Stage {
  redis: RedisServer
  mongo: MongoServer
  /** In front of MongoDB. */
  proxy: FaultProxy
}

interface Fault {
  name: string
  redisConfig?: readonly string[]
  /** The store reaches MongoDB by way of the proxy. */
  usesProxy?: boolean
  /** Errors are expected: both databases are away. */
  mayFail?: boolean
  /** Writes that had not reached MongoDB are lost along with Redis' data. */
  mayLoseOutbox?: boolean
  strike: (stage: Stage) => Promise<unknown>
}

const FAULTS: readonly Fault[] = [
  {
    name: 'MongoDB is killed and started again',
    async strike({ mongo }) {
      await mongo.kill()
      await sleep(OUTAGE_MS)
      await mongo.restart()
    },
  },
  {
    name: 'MongoDB hangs (SIGSTOP)',
    async strike({ mongo }) {
      await mongo.freeze()
      await sleep(OUTAGE_MS)
      mongo.thaw()
    },
  },
  {
    name: 'MongoDB answers after 3 s',
    usesProxy: true,
    async strike({ proxy }) {
      proxy.delay(3000)
      await sleep(OUTAGE_MS)
      proxy.delay(0)
    },
  },
  {
    name: 'Redis is killed and started again',
    async strike({ redis }) {
      await redis.kill()
      await sleep(OUTAGE_MS)
      await redis.restart()
    },
  },
  {
    name: 'Redis hangs (SIGSTOP)',
    async strike({ redis }) {
      await redis.freeze()
      await sleep(OUTAGE_MS)
      redis.thaw()
    },
  },
  {
    name: 'both are killed and started again',
    mayFail: true,
    async strike({ redis, mongo }) {
      await Promise.all([redis.kill(), mongo.kill()])
      await sleep(OUTAGE_MS)
      await Promise.all([redis.restart(), mongo.restart()])
    },
  },
  {
    name: 'Redis loses its last writes, as in a failover',
    redisConfig: KEEPS_SNAPSHOT,
    mayLoseOutbox: true,
    async strike({ redis }) {
      await withClient(redis, client => client.save())
      await sleep(500)
      await redis.kill()
      await redis.restart()
    },
  },
  {
    name: 'FLUSHALL',
    mayLoseOutbox: true,
    strike: ({ redis }) => withClient(redis, client => client.flushall()),
  },
]

const rows: string[] = []
afterAll(() => {
  const head = [FAULT_COLUMNS, FAULT_COLUMNS.map(() => '---')].map(toRow)
  process.stdout.write(`\n${[...head, ...rows].join('\n')}\n`)
})

test.each([
  ['Redis', true],
  ['Redis and MongoDB', false],
])(
  'a store whose %s hangs reports by the deadline of a call whether it is healthy',
  async (which, expected) => {
    const [redis, mongo] = await Promise.all([startRedis(), startMongo()])
    const store = await createHybridStore({
      redisUrl: redis.url,
      mongoUrl: mongo.url,
      resilience: { operationTimeout: 1000 },
    })
    onTestFinished(async () => {
      redis.thaw()
      mongo.thaw()
      await store.close()
      await Promise.all([redis.stop(), mongo.stop()])
    })
    await expect.poll(() => store.list(), { timeout: 30_000 }).toBeDefined()
    await redis.freeze()
    if (which.includes('MongoDB')) await mongo.freeze()
    const startMs = performance.now()
    expect(await store.isHealthy()).toBe(expected)
    expect(performance.now() - startMs).toBeLessThan(10_000) // no measure of speed
  },
  240_000,
)

describe.each([
  { mode: 'write-through', enableWriteBehind: false },
  { mode: 'write-behind', enableWriteBehind: true },
])('$mode under load', ({ mode, enableWriteBehind }) => {
  test.each(FAULTS)(
    '$name: no acknowledged write is lost',
    async fault => {
      const { open, ...stage } = await setUp(fault, { enableWriteBehind })
      const store = await open()
      const load = await startLoad(store)
      await sleep(1000)
      await fault.strike(stage)
      await sleep(2000)
      const report = await load.stop()
      const other = await open({ redisOptions: { connectionName: 'another process' } })
      const reconciled = () => other.reconcileOutbox().then(() => 'done', String)
      await expect.poll(reconciled, { timeout: 120_000 }).toBe('done')
      const hot = await countLosses(other, report)
      await withClient(stage.redis, client => client.flushall())
      const durable = await countLosses(await open({ redisOptions: { connectionName: 'a third' } }), report)
      rows.push(toFaultRow(fault.name, mode, report, [hot, durable]))
      const { acknowledged, stale, failures } = report
      expect({ hot, durable, stale }).toEqual({ hot: NOTHING, durable: NOTHING, stale: 0 })
      expect(acknowledged).toBeGreaterThan(50)
      if (!fault.mayFail) expect(failures).toEqual([])
    },
    OUTAGE_MS + 240_000,
  )

  test('kill -9 of the bot, five times, loses nothing acknowledged and leaves no partial write', async () => {
    const { open, source } = await setUp({}, { enableWriteBehind, resilience: PATIENT })
    const store = await open()
    await store.set('s', { creds: { registrationId: 7 } })
    let acknowledged = 0
    let lost = 0
    for (const after of [3, 10, 17, 24, 31]) {
      const last = await killBurst(source, { kind: 'burst', sessionId: 's', width: 20 }, after)
      const other = await open({ redisOptions: { connectionName: `after ${after}` } })
      const { fencingToken } = await other.claim('s')
      expect(fencingToken).toBeGreaterThan(0)
      const values = Object.values((await other.get('s'))?.data.keys.burst ?? {}) as number[]
      expect(new Set(values).size).toBe(1)
      lost += Math.max(0, last - (values[0] as number))
      acknowledged += last
    }
    rows.push(toRow(['kill -9 of the bot, 5 times', mode, acknowledged, '', lost, 0, '', '', '', '']))
    expect(lost).toBe(0)
  }, 120_000)

  test('kill -9 of the bot between the write to Redis and that to MongoDB leaves the write whole', async () => {
    const options = { enableWriteBehind, resilience: PATIENT }
    const { open, source, proxy, redis } = await setUp({ usesProxy: true }, options)
    const store = await open()
    await store.set('s', { creds: { registrationId: 7 } })
    let acknowledged = 0
    for (const after of [5, 20]) {
      let release = () => {}
      const last = await killBurst(source, { kind: 'burst', sessionId: 's', width: 20 }, after, async () => {
        release = proxy.hold()
        await sleep(300) // the next one is in Redis by now, and MongoDB is never asked for it
      })
      const waiting = await withClient(redis, client => client.hlen('outbox:{s}'))
      release()
      expect(waiting).toBeGreaterThan(0)
      const found = async () => {
        const other = await open({ redisOptions: { connectionName: `after ${after}, ${acknowledged}` } })
        await other.claim('s')
        return new Set(Object.values((await other.get('s'))?.data.keys.burst ?? {}))
      }
      const hot = await found()
      await withClient(redis, client => client.flushall())
      expect(await found()).toEqual(hot)
      expect([...hot]).toEqual([enableWriteBehind ? expect.any(Number) : last + 1])
      expect(Math.max(...([...hot] as number[]))).toBeGreaterThanOrEqual(last)
      acknowledged += last
    }
    rows.push(
      toRow(['kill -9 between Redis and MongoDB, twice', mode, acknowledged, '', 0, 0, '', '', '', '']),
    )
  }, 120_000)
})

async function setUp({ redisConfig = KEEPS_ALL, usesProxy = false }: Partial<Fault>, options: HybridOptions) {
  const [redis, mongo] = await Promise.all([startRedis({ config: redisConfig }), startMongo()])
  const proxy = await startFaultProxy(mongo.port)
  const port = usesProxy ? proxy.port : mongo.port
  const mongoUrl = mongo.url.replace(String(mongo.port), String(port))
  const database = createHybridDatabase({ redis: { url: redis.url }, mongoUrl: mongo.url })
  const closing: { close(): Promise<void> }[] = []
  onTestFinished(async () => {
    proxy.delay(0)
    redis.thaw()
    mongo.thaw()
    await Promise.all(closing.map(store => store.close()))
    await proxy.close()
    await Promise.all([redis.stop(), mongo.stop()])
  })
  const outbox = { maxEntries: 100_000 } // such a load would fill the usual one within a minute
  const given = { redisUrl: redis.url, mongoUrl, outbox, ...options }
  const open = async (more: HybridOptions = {}) => {
    const store = await createHybridStore({ ...given, ...more })
    closing.push(store)
    return store
  }
  const source = {
    module: database.source().module,
    options: { servers: { url: redis.url }, options: given },
  }
  return { redis, mongo, proxy, open, source }
}

async function withClient<T>(server: RedisServer, action: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(server.url)
  try {
    return await action(client)
  } finally {
    client.disconnect()
  }
}
