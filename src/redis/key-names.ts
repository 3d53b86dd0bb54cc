import type { Field } from '../core/auth-store.js'
import { isStoredName } from '../core/names.js'
import type { SessionKeys } from './scripts.js'

export const DEFAULT_PREFIX = 'baileys:auth'

export interface ForeignKey {
  name: string
  /** As Redis calls it. */
  type: 'string' | 'hash'
}

/**
 *   <prefix>:{<session>}:creds   hash: the head and the creds, as in lua/session.lua
 *   <prefix>:{<session>}:keys    hash: <type>:<id> → envelope, and a copy of the head under names with @
 *
 *   outbox:{<session>}           hash: version → entry, in front of MongoDB; with a prefix other than the default
 *                                one, <prefix>:outbox:{<session>}
 *
 * The braces are the hash tag that keeps the keys in one slot of a cluster. A `}` in the session's name would end it.
 */
export class KeyNames {
  readonly #prefix: string
  /** The beginning of an outbox's name; `undefined` without an outbox. */
  readonly #outbox: string | undefined

  constructor(prefix: string, { hasOutbox = false } = {}) {
    this.#prefix = prefix
    this.#outbox = hasOutbox ? (prefix === DEFAULT_PREFIX ? 'outbox' : `${prefix}:outbox`) : undefined
  }

  /**
   * The keys of a session in releases 1.0.0-rc.1 to rc.6 of this package, each with its type in Redis. They have the
   * session's name as it is, so the outbox of a name in braces may be one of this release.
   */
  ofReleaseCandidate(sessionId: string): ForeignKey[] {
    const texts: ForeignKey[] = ['creds', 'keys', 'meta'].map(part => ({
      name: `${this.#prefix}:${sessionId}:${part}`,
      type: 'string',
    }))
    const hasOutbox = this.#outbox !== undefined && !sessionId.startsWith('{')
    return hasOutbox ? [...texts, { name: `outbox:${sessionId}`, type: 'hash' }] : texts
  }

  of(sessionId: string): SessionKeys {
    const tag = `{${sessionId.replace(/[%}]/g, encodeURIComponent)}}`
    const name = `${this.#prefix}:${tag}`
    const hashes = [`${name}:creds`, `${name}:keys`] as const
    return this.#outbox === undefined ? hashes : [...hashes, `${this.#outbox}:${tag}`]
  }

  /** Its holder applies the session's outbox to MongoDB. */
  lockOf(sessionId: string): string {
    return `lock:${this.of(sessionId)[2]}`
  }

  /** Its holder sweeps the outboxes. */
  get sweepLock(): string {
    return `lock:${this.#outbox}`
  }

  /** The key of the last count of what waits in all outboxes. */
  get count(): string {
    return `${this.sweepLock}:count`
  }

  /** The key of the name of the MongoDB collection behind this Redis and prefix. */
  get collectionMark(): string {
    return `${this.sweepLock}:collection`
  }

  /** Its holder counts what waits in all outboxes. */
  get countLock(): string {
    return `${this.sweepLock}:counting`
  }

  /** Matches the creds of every session. `clientPrefix`: the prefix that the client adds to each key. */
  pattern(clientPrefix: string): string {
    return `${escapePattern(`${clientPrefix}${this.#prefix}`)}:{*}:creds`
  }

  /** Matches every outbox. */
  outboxPattern(clientPrefix: string): string {
    return `${escapePattern(`${clientPrefix}${this.#outbox}`)}:{*}`
  }

  sessionIdOfOutbox(key: string, clientPrefix: string): string {
    return toSessionId(key.slice(clientPrefix.length + `${this.#outbox}`.length + ':{'.length, -'}'.length))
  }

  /** `undefined` for a foreign key. */
  sessionIdOf(key: string, clientPrefix: string): string | undefined {
    const begin = clientPrefix.length + this.#prefix.length + ':{'.length
    const sessionId = toSessionId(key.slice(begin, -'}:creds'.length))
    return isStoredName(sessionId) && `${clientPrefix}${this.of(sessionId)[0]}` === key
      ? sessionId
      : undefined
  }
}

function escapePattern(name: string): string {
  return name.replace(/[\\*?[\]]/g, '\\$&')
}

function toSessionId(escaped: string): string {
  return escaped.replace(/%(25|7D)/g, decodeURIComponent)
}

/** A type has no `:`, so the first one ends it. */
export function fieldName({ type, id }: Field): string {
  return `${type}:${id}`
}

/** `undefined` for a name that belongs to the copy of the head. */
export function parseFieldName(name: string): Field | undefined {
  const end = name.indexOf(':')
  return end < 0 ? undefined : { type: name.slice(0, end), id: name.slice(end + 1) }
}
