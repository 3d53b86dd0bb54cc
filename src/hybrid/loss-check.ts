import type { Logger } from '../core/logger.js'
import type { RedisConnection } from '../redis/connection.js'

/** Warns of settings with which Redis loses writes that wait for MongoDB. Skips settings that it may not ask for. */
export function warnOfLoss(connection: RedisConnection, logger: Logger): void {
  connection.risks().then(
    risks => {
      for (const { policy, keepsNothing } of risks) {
        if (policy?.startsWith('allkeys') || policy?.startsWith('volatile')) {
          logger.warn(
            { policy },
            `Redis may evict writes that wait for MongoDB: "maxmemory-policy" is ${policy}. Set it to noeviction.`,
          )
        }
        if (keepsNothing) {
          logger.warn(
            {},
            'Redis keeps nothing on its disk: "appendonly" is no and "save" is empty. A restart of it loses the ' +
              'writes that wait for MongoDB. Set "appendonly yes".',
          )
        }
      }
    },
    () => {}, // the first call reports that the server cannot be reached
  )
}
