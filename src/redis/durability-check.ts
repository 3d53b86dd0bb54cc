import { InvalidOptionError } from '../core/errors.js'
import type { Logger } from '../core/logger.js'
import { mastersOf, type RedisClient } from './client.js'

/** Settings of one server with which sessions can be lost. */
export interface Risk {
  /** The kind of replication with several writable servers, if any. */
  multiWriter: string | undefined
  /** Whether it copies another server: it takes no writes, and its answers may be old. */
  isReplica: boolean
  /** The eviction policy, if memory is limited. */
  policy: string | undefined
  keepsNothing: boolean
}

/**
 * Servers that each take writes and exchange them later give out the same version and fencing token twice. One of two
 * acknowledged writes is then lost.
 */
export function assertOneWriter(risks: readonly Risk[]): void {
  const found = risks.find(risk => risk.multiWriter !== undefined)
  if (found === undefined) return
  throw new InvalidOptionError(
    `Redis takes part in ${found.multiWriter}: several servers take writes to the same keys, and one of two pairings or ` +
      'keys that are written at once is lost. Give the store a Redis with one master.',
  )
}

/** Skips settings that a server does not tell. */
export async function findRisks(client: RedisClient): Promise<Risk[]> {
  const masters = await mastersOf(client)
  return Promise.all(masters.map(findRisk))
}

export function warnOfRisks(risks: readonly Risk[], logger: Logger, expires: boolean): void {
  for (const { policy, keepsNothing, multiWriter, isReplica } of risks) {
    if (multiWriter !== undefined) {
      logger.warn(
        {},
        `Redis takes part in ${multiWriter}, which loses writes: the store claims no session there.`,
      )
    }
    if (isReplica) {
      logger.warn(
        {},
        'This Redis is a replica: it takes no writes, and what it answers may be old. Name its master.',
      )
    }
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
  const { role, maxmemory, maxmemory_policy, aof_enabled, ...others } = parse(await node.info())
  const isLimited = maxmemory !== undefined && maxmemory !== '0'
  return {
    multiWriter: toMultiWriter(role, Object.keys(others)),
    isReplica: role === 'slave',
    policy: isLimited ? maxmemory_policy : undefined,
    keepsNothing: aof_enabled === '0' && !(await hasSnapshots(node)),
  }
}

/** Recognizes KeyDB and Redis Software by their `INFO`. Others of the kind cannot be recognized. */
function toMultiWriter(role: string | undefined, members: readonly string[]): string | undefined {
  if (role === 'active-replica') return 'the active replication of KeyDB ("active-replica yes")'
  if (members.some(name => name.startsWith('crdt_'))) return 'an Active-Active database of Redis'
  return undefined
}

/** Assumes snapshots if CONFIG is not allowed. */
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
