import { createHash } from 'node:crypto'
import type { SessionPage } from '../core/auth-store.js'
import { InvalidOptionError } from '../core/errors.js'
import { keyPrefixOf, mastersOf, type RedisClient } from './client.js'
import type { KeyNames } from './key-names.js'
import { toList } from './replies.js'

/** Least number of keys that one SCAN looks at: most of a database may be foreign. */
const SCAN_COUNT = 500

/**
 * The end of a page: the node, its SCAN cursor, and which of the sessions found there were returned. Neither their number
 * nor the last name would do: sessions end meanwhile, and when Redis resizes its table, the same cursor finds others too.
 */
interface Position {
  node: number
  cursor: string
  returned: ReadonlySet<string>
}

interface FoundPage extends SessionPage {
  /** Number of foreign keys that look like a session's. */
  foreign: number
}

/**
 * A page of the sessions that `exists` accepts, by SCAN over every master. Like SCAN, it returns each session that
 * exists all the time at least once, and may return one twice while Redis resizes its table. `exists` returns
 * `undefined` for a foreign key.
 */
export async function listSessions(
  client: RedisClient,
  names: KeyNames,
  exists: (sessionId: string) => Promise<boolean | undefined>,
  limit: number,
  cursor: string | undefined,
): Promise<FoundPage> {
  let position: Position = parsePosition(cursor)
  const masters = await mastersOf(client)
  const clientPrefix = keyPrefixOf(client)
  const pattern = names.pattern(clientPrefix)
  const found: string[] = []
  let foreign = 0
  for (;;) {
    const node: RedisClient | undefined = masters[position.node]
    if (node === undefined) return { sessionIds: found, cursor: null, foreign }
    const [next, keys] = toList(await node.scan(position.cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT))
    const ids = toList(keys).map(key => names.sessionIdOf(String(key), clientPrefix))
    const sessionIds = ids.filter(id => id !== undefined).sort()
    const existing = await Promise.all(sessionIds.map(exists))
    foreign += ids.length - existing.filter(known => known !== undefined).length
    const { returned } = position
    const fresh = sessionIds.filter((sessionId, i) => existing[i] && !returned.has(toDigest(sessionId)))
    const room = limit - found.length
    const page = fresh.slice(0, room)
    found.push(...page)
    if (fresh.length > room) {
      const end = toCursor({ ...position, returned: new Set([...returned, ...page.map(toDigest)]) })
      return { sessionIds: found, cursor: end, foreign }
    }
    position =
      next === '0'
        ? { node: position.node + 1, cursor: '0', returned: new Set() }
        : { node: position.node, cursor: String(next), returned: new Set() }
  }
}

function toCursor({ node, cursor, returned }: Position): string {
  return `${node}.${cursor}.${[...returned].join('')}`
}

const DIGEST_LENGTH = 8

/** 48 bits: among the 500 keys of one SCAN, no two have the same one. */
function toDigest(sessionId: string): string {
  return createHash('sha1').update(sessionId).digest('base64url').slice(0, DIGEST_LENGTH)
}

/** Redis' own cursors have 64 bits. */
const CURSOR = /^(\d{1,4})\.(\d{1,20})\.((?:[\w-]{8})*)$/
const MAX_SCAN_CURSOR = 2n ** 64n - 1n

function parsePosition(cursor: unknown = '0.0.'): Position {
  const found = typeof cursor === 'string' ? CURSOR.exec(cursor) : null
  if (found === null || BigInt(found[2] as string) > MAX_SCAN_CURSOR) {
    throw new InvalidOptionError('"cursor" must be the "cursor" of an earlier page of this store.')
  }
  const [, node, scan, digests] = found as unknown as [string, string, string, string]
  return { node: Number(node), cursor: scan, returned: new Set(digests.match(/.{8}/g)) }
}
