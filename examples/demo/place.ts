import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type MongoServer, startMongo } from '../../test/support/mongodb/mongodb-server.js'
import { KEEPS_ALL, type RedisServer, startRedis } from '../../test/support/redis/redis-server.js'
import type { DemoOptions } from './arguments.js'
import { type Database, openStore } from './database.js'

export interface Place {
  database: Database
  masterKey: string
  /** As the reader is told. */
  name: string
  /** For what is not wanted afterwards. */
  folder: string
  /** Servers of the demo's own. */
  redis: RedisServer | undefined
  mongo: MongoServer | undefined
  /** Ends what was started; a server that was given keeps nothing of the demo. */
  leave(): Promise<void>
}

/** Where the sessions are kept. Starts the servers that were not given. */
export async function openPlace(options: DemoOptions): Promise<Place> {
  const { store, redisUrl, mongoUrl } = options
  const usesRedis = store === 'redis' || store === 'hybrid'
  const usesMongo = store === 'mongodb' || store === 'hybrid'
  const mongo = usesMongo && mongoUrl === undefined ? await startMongo() : undefined
  const redis = usesRedis && redisUrl === undefined ? await startRedis({ config: KEEPS_ALL }) : undefined
  const folder = mkdtempSync(join(tmpdir(), 'baileys-demo-'))
  const urls = { redisUrl: redisUrl ?? redis?.url ?? '', mongoUrl: mongoUrl ?? mongo?.url ?? '' }
  const database = toDatabase(options, folder, urls)
  const masterKey = randomBytes(32).toString('hex')
  return {
    database,
    masterKey,
    name: nameOf(database),
    folder,
    redis,
    mongo,
    async leave() {
      rmSync(folder, { recursive: true })
      try {
        if ((redisUrl ?? mongoUrl) !== undefined) await removeSessions(database, masterKey)
      } finally {
        await Promise.all([redis?.stop(), mongo?.stop()])
      }
    },
  }
}

function toDatabase(
  { store, path }: DemoOptions,
  folder: string,
  { redisUrl, mongoUrl }: { redisUrl: string; mongoUrl: string },
): Database {
  const prefix = `baileys:demo:${process.pid}`
  const collection = `demo-${process.pid}`
  switch (store) {
    case 'sqlite':
      return { store, path: path === undefined ? join(folder, 'auth.db') : resolve(path) }
    case 'redis':
      return { store, redisUrl, prefix }
    case 'mongodb':
      return { store, mongoUrl, collection }
    case 'hybrid':
      return { store, redisUrl, prefix, mongoUrl, mongoCollection: collection }
  }
}

function nameOf(database: Database): string {
  switch (database.store) {
    case 'sqlite':
      return database.path
    case 'redis':
      return withoutPassword(database.redisUrl)
    case 'mongodb':
      return withoutPassword(database.mongoUrl)
    case 'hybrid':
      return `${withoutPassword(database.redisUrl)} and ${withoutPassword(database.mongoUrl)}`
  }
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/.*@/, '//…@')
}

async function removeSessions(database: Database, masterKey: string): Promise<void> {
  const store = await openStore(database, masterKey)
  for await (const { sessionId } of store.sessions()) await store.delete(sessionId)
  await store.close()
}
