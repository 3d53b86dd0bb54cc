import { setTimeout as sleep } from 'node:timers/promises'
import type { MongoServer } from '../../test/support/mongodb/mongodb-server.js'
import type { RedisServer } from '../../test/support/redis/redis-server.js'
import { say } from './report.js'
import type { Status } from './status.js'
import { StatusLine } from './status-line.js'

export interface OutageServers {
  redis: RedisServer
  mongo: MongoServer
}

/** Messages that were decrypted while a server was gone. */
export interface OutageCounts {
  withoutMongo: number
  withoutRedis: number
}

interface Outage {
  name: string
  server: Pick<RedisServer, 'kill' | 'restart'>
  /** For at least so long, and until the bots have felt it. */
  goneMs: number
  isFelt(now: Status, before: Status): boolean
}

const LOOK_EVERY_MS = 200
const PATIENCE_MS = 120_000
/** Shorter than the 30 s after which the breakers try MongoDB again: they would find it gone and wait once more. */
const MONGO_GONE_MS = 15_000
const REDIS_GONE_MS = 8000

/** Kills MongoDB and brings it back, then Redis. `look` tells how the bots fare, who are to talk all the while. */
export async function takeAwayEach(
  { redis, mongo }: OutageServers,
  look: () => Promise<Status>,
): Promise<OutageCounts> {
  say(`MongoDB is killed for ${MONGO_GONE_MS / 1000} s, and they go on talking; writes wait in the outbox, in Redis, until each bot's
circuit breaker tries MongoDB again, 30 s after it has opened`)
  const withoutMongo = await takeAway(look, {
    name: 'MongoDB',
    server: mongo,
    goneMs: MONGO_GONE_MS,
    isFelt: ({ openBreakers, bots }) => openBreakers === bots,
  })
  say(`Redis is killed for ${REDIS_GONE_MS / 1000} s; reads fall back to MongoDB, and writes go there`)
  const withoutRedis = await takeAway(look, {
    name: 'Redis',
    server: redis,
    goneMs: REDIS_GONE_MS,
    isFelt: (now, before) => now.readsByMongo > before.readsByMongo,
  })
  return { withoutMongo, withoutRedis }
}

/** Until nothing is left of it: the breakers are closed, and nothing waits for MongoDB. */
async function takeAway(
  look: () => Promise<Status>,
  { name, server, goneMs, isFelt }: Outage,
): Promise<number> {
  const line = new StatusLine()
  const show = async (title: string) => {
    const status = await look()
    line.show(title, status)
    return status
  }
  const before = await show(`${name} is up`)
  await server.kill()
  const backMs = performance.now() + goneMs
  const isOver = (now: Status) => performance.now() >= backMs && isFelt(now, before)
  const last = await until(isOver, () => show(`${name} is gone`))
  await server.restart()
  await until(isSettled, () => show(`${name} is back`))
  line.end()
  return last.decrypted - before.decrypted
}

async function until(isReached: (now: Status) => boolean, look: () => Promise<Status>): Promise<Status> {
  const endMs = performance.now() + PATIENCE_MS
  for (;;) {
    const now = await look()
    if (isReached(now)) return now
    if (performance.now() > endMs) throw new Error(`it goes on for too long: ${JSON.stringify(now)}`)
    await sleep(LOOK_EVERY_MS)
  }
}

function isSettled({ openBreakers, outbox }: Status): boolean {
  return openBreakers === 0 && outbox === 0
}
