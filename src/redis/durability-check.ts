import type { Logger } from '../core/logger.js'
import { mastersOf, type RedisClient } from './client.js'

/** Warns of settings of the server that can lose sessions. What cannot be asked for is passed over in silence. */
export async function warnOfLoss(client: RedisClient, logger: Logger, expires: boolean): Promise<void> {
  for (const node of await mastersOf(client)) {
    const { maxmemory, maxmemory_policy: policy = 'noeviction' } = parse(await node.info('memory'))
    const isLimited = maxmemory !== undefined && maxmemory !== '0'
    const evicts = policy.startsWith('allkeys') || (policy.startsWith('volatile') && expires)
    if (isLimited && evicts) {
      logger.warn(
        { policy },
        `Redis may evict sessions: "maxmemory-policy" is ${policy}. A bot whose session is evicted has to be ` +
          'paired again. Set it to noeviction, or give sessions a Redis of their own.',
      )
    }
    const { aof_enabled: aof } = parse(await node.info('persistence'))
    if (aof === '0' && !(await hasSnapshots(node))) {
      logger.warn(
        {},
        'Redis keeps nothing on its disk: "appendonly" is no and "save" is empty. Every restart of it loses all ' +
          'sessions, and every bot has to be paired again. Set "appendonly yes".',
      )
    }
  }
}

/** Taken for granted where CONFIG is not allowed. */
async function hasSnapshots(node: RedisClient): Promise<boolean> {
  try {
    const found = await node.config('GET', 'save')
    const value = Array.isArray(found) ? found[1] : (found as { save?: unknown }).save
    return value !== ''
  } catch {
    return true
  }
}

function parse(info: string): Record<string, string | undefined> {
  const lines = info.split('\r\n').map(line => line.split(':', 2) as [string, string])
  return Object.fromEntries(lines)
}
