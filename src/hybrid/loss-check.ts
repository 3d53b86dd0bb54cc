import type { Logger } from '../core/logger.js'
import type { RedisConnection } from '../redis/connection.js'

/** Warns of settings of Redis by which it loses what waits for MongoDB. What cannot be asked for is passed over. */
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
    () => {}, // the first call says that the server is out of reach
  )
}
