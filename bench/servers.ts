import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MongoServer, startMongo } from '../test/support/mongodb/mongodb-server.js'
import { startRedis } from '../test/support/redis/redis-server.js'
import type { CaseName } from './cases/names.js'
import type { Place } from './contenders/place.js'

export interface Servers extends Place {
  mongoKind: MongoServer['kind'] | undefined
  stop(): Promise<void>
}

const MONGO_CASES: readonly CaseName[] = ['mongodb', 'hybrid', 'fallback', 'setting']

/** Of our own, with nothing else in them: Redis keeps nothing on the disk, MongoDB does not wait for it. */
export async function startServers(cases: readonly CaseName[]): Promise<Servers> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-'))
  const needsMongo = MONGO_CASES.some(name => cases.includes(name))
  const redis = await startRedis()
  const mongo = needsMongo ? await startMongo() : undefined
  return {
    redisUrl: redis.url,
    mongoUrl: mongo?.url ?? '',
    folder,
    mongoKind: mongo?.kind,
    async stop() {
      await Promise.all([redis.stop(), mongo?.stop()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}
