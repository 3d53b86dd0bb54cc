import type { SessionPage } from '../core/store.js'
import { keyPrefixOf, mastersOf, type RedisClient } from './client.js'
import type { KeyNames } from './key-names.js'

/** Keys that one SCAN looks at, at the least: most of a database may be somebody else's. */
const SCAN_COUNT = 500

/** Where a page ends: the node, its SCAN cursor, and how many of the sessions found there have been handed out. */
interface Position {
  node: number
  cursor: string
  skip: number
}

/**
 * A page of the sessions that `exists` lets through, by SCAN over every master. As SCAN does, it gives each session
 * that is there all the while at least once; one may come twice while Redis resizes its table.
 */
export async function listSessions(
  client: RedisClient,
  names: KeyNames,
  exists: (sessionId: string) => Promise<boolean>,
  limit: number,
  cursor: string | undefined,
): Promise<SessionPage> {
  const masters = await mastersOf(client)
  const clientPrefix = keyPrefixOf(client)
  const found: string[] = []
  let position = parsePosition(cursor)
  while (position !== undefined) {
    const node: RedisClient | undefined = masters[position.node]
    if (node === undefined) break
    const [next, keys] = await node.scan(
      position.cursor,
      'MATCH',
      names.pattern(clientPrefix),
      'COUNT',
      SCAN_COUNT,
    )
    const sessionIds = keys.map(key => names.sessionIdOf(key, clientPrefix)).sort()
    const existing = await Promise.all(sessionIds.map(exists))
    const fresh = sessionIds.filter((_, i) => existing[i]).slice(position.skip)
    const room = limit - found.length
    found.push(...fresh.slice(0, room))
    if (fresh.length > room)
      return { sessionIds: found, cursor: toCursor({ ...position, skip: position.skip + room }) }
    position =
      next === '0'
        ? { node: position.node + 1, cursor: '0', skip: 0 }
        : { node: position.node, cursor: next, skip: 0 }
  }
  return { sessionIds: found, cursor: null }
}

function toCursor({ node, cursor, skip }: Position): string {
  return `${node}.${cursor}.${skip}`
}

function parsePosition(cursor = '0.0.0'): Position {
  const [node, scan = '0', skip] = cursor.split('.')
  return { node: Number(node), cursor: scan, skip: Number(skip) }
}
