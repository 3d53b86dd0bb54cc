import type { Logger } from '../core/logger.js'
import { mastersOf, type RedisClient } from './client.js'

/** Settings of one server that can lose sessions. */
export interface Risk {
  /** The eviction policy, where there is a limit to reach. */
  policy: string | undefined
  keepsNothing: boolean
}

/** What cannot be asked for is passed over in silence. */
export async function findRisks(client: RedisClient): Promise<Risk[]> {
  const masters = await mastersOf(client)
  return Promise.all(masters.map(findRisk))
}

export function warnOfRisks(risks: readonly Risk[], logger: Logger, expires: boolean): void {
  for (const { policy, keepsNothing } of risks) {
    if (policy?.startsWith('allkeys') || (policy?.startsWith('volatile') && expires)) {
      logger.warn(
        { policy },
        `Redis may evict sessions: "maxmemory-policy" is ${policy}. A bot whose session is evicted has to be ` +
          'paired again. Set it to noeviction, or give sessions a Redis of their own.',
      )
    }
    if (keepsNothing) {
      logger.warn(
        {},
        'Redis keeps nothing on its disk: "appendonly" is no and "save" is empty. Every restart of it loses all ' +
          'sessions, and every bot has to be paired again. Set "appendonly yes".',
      )
    }
  }
}

async function findRisk(node: RedisClient): Promise<Risk> {
  const { maxmemory, maxmemory_policy } = parse(await node.info('memory'))
  const { aof_enabled } = parse(await node.info('persistence'))
  const isLimited = maxmemory !== undefined && maxmemory !== '0'
  return {
    policy: isLimited ? maxmemory_policy : undefined,
    keepsNothing: aof_enabled === '0' && !(await hasSnapshots(node)),
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
