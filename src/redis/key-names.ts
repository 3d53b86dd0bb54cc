import type { Field } from '../core/auth-store.js'
import { checkSessionId } from '../core/names.js'
import type { SessionKeys } from './scripts.js'

export const DEFAULT_PREFIX = 'baileys:auth'

/**
 *   <prefix>:{<session>}:creds   hash: version, fence, updatedAt, expiresAt, vacant, leaseUntil, ops, data
 *   <prefix>:{<session>}:keys    hash: <type>:<id> → envelope, and @version, @fence, @updatedAt, @expiresAt
 *
 *   outbox:{<session>}           hash: version → entry, where MongoDB lies behind; with a prefix other than the
 *                                default one, <prefix>:outbox:{<session>}
 *
 * The braces are the hash tag that keeps them in one slot of a cluster: a `}` in the session's name would end it.
 */
export class KeyNames {
  readonly #prefix: string
  /** What the name of an outbox begins with; `undefined` where there is none. */
  readonly #outbox: string | undefined

  constructor(prefix: string, { hasOutbox = false } = {}) {
    this.#prefix = prefix
    this.#outbox = hasOutbox ? (prefix === DEFAULT_PREFIX ? 'outbox' : `${prefix}:outbox`) : undefined
  }

  /** Where releases 1.0.0-rc.1 to rc.6 of this package have a session, one text each: without braces, and as it is. */
  ofReleaseCandidate(sessionId: string): string[] {
    return ['creds', 'keys', 'meta'].map(part => `${this.#prefix}:${sessionId}:${part}`)
  }

  of(sessionId: string): SessionKeys {
    const tag = `{${sessionId.replace(/[%}]/g, encodeURIComponent)}}`
    const name = `${this.#prefix}:${tag}`
    const hashes = [`${name}:creds`, `${name}:keys`] as const
    return this.#outbox === undefined ? hashes : [...hashes, `${this.#outbox}:${tag}`]
  }

  /** Who has it brings the session's outbox to MongoDB. */
  lockOf(sessionId: string): string {
    return `lock:${this.of(sessionId)[2]}`
  }

  /** Who has it looks for outboxes that nobody empties. */
  get sweepLock(): string {
    return `lock:${this.#outbox}`
  }

  /** Where the last count of what waits in all outboxes is. */
  get count(): string {
    return `${this.sweepLock}:count`
  }

  /** Who has it counts what waits in all outboxes. */
  get countLock(): string {
    return `${this.sweepLock}:counting`
  }

  /** Matches the creds of every session; `clientPrefix` is what the client puts before each key. */
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

  /** `undefined` for a key that no session of this library has. */
  sessionIdOf(key: string, clientPrefix: string): string | undefined {
    const begin = clientPrefix.length + this.#prefix.length + ':{'.length
    const sessionId = toSessionId(key.slice(begin, -'}:creds'.length))
    return isSessionId(sessionId) && `${clientPrefix}${this.of(sessionId)[0]}` === key ? sessionId : undefined
  }
}

function escapePattern(name: string): string {
  return name.replace(/[\\*?[\]]/g, '\\$&')
}

function isSessionId(name: string): boolean {
  try {
    checkSessionId(name)
    return true
  } catch {
    return false // that is the answer
  }
}

function toSessionId(escaped: string): string {
  return escaped.replace(/%(25|7D)/g, decodeURIComponent)
}

/** No type holds a `:`, so the first one ends it. */
export function fieldName({ type, id }: Field): string {
  return `${type}:${id}`
}

/** `undefined` for what is no field but a part of the head. */
export function parseFieldName(name: string): Field | undefined {
  const end = name.indexOf(':')
  return end < 0 ? undefined : { type: name.slice(0, end), id: name.slice(end + 1) }
}
