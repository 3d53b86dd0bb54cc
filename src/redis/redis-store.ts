import { CodecStore } from '../core/store/codec-store.js'
import { DEFAULT_TTL_SECONDS, toSettings } from '../core/store/store-settings.js'
import { warnOfRisks } from './durability-check.js'
import { DEFAULT_PREFIX, KeyNames } from './key-names.js'
import { openConnection } from './open-connection.js'
import { RedisBackend } from './redis-backend.js'
import { parseRedisOptions, type RedisOptions } from './redis-options.js'

/** Many sessions in one Redis. Create it with `createRedisStore`. */
export class RedisAuthStore extends CodecStore {}

/**
 * Opens a connection, or shares an open one to the same server. Does not wait for the server: a call that cannot reach
 * it throws `STORE_UNAVAILABLE`. Throws `INVALID_OPTION` and `MISSING_DEPENDENCY`.
 */
export async function createRedisStore(options: RedisOptions): Promise<RedisAuthStore> {
  const parsed = parseRedisOptions(options)
  const settings = await toSettings(parsed, DEFAULT_TTL_SECONDS)
  const { retry, ttlMs, logger } = settings
  const prefix = parsed.prefix ?? DEFAULT_PREFIX
  const { connection, release } = await openConnection(parsed, retry.timeoutMs)
  connection.risks().then(
    risks => warnOfRisks(risks, logger, ttlMs !== null),
    () => {}, // the first call reports that the server cannot be reached
  )
  const backend = new RedisBackend({ connection, names: new KeyNames(prefix), ttlMs, release, logger })
  const memory = connection.memoryOf(prefix)
  return new RedisAuthStore({ ...settings, backend, memory })
}
