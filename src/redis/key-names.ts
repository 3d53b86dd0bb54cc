import type { Field } from '../core/store.js'
import type { SessionKeys } from './scripts.js'

/**
 *   <prefix>:{<session>}:creds   hash: version, fence, updatedAt, expiresAt, vacant, leaseUntil, ops, data
 *   <prefix>:{<session>}:keys    hash: <type>:<id> → envelope, and @version, @fence, @updatedAt, @expiresAt
 *
 * The braces are the hash tag that keeps both in one slot of a cluster: a `}` in the session's name would end it.
 */
export class KeyNames {
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  of(sessionId: string): SessionKeys {
    const name = `${this.#prefix}:{${sessionId.replace(/[%}]/g, encodeURIComponent)}}`
    return [`${name}:creds`, `${name}:keys`]
  }

  /** Matches the creds of every session; `clientPrefix` is what the client puts before each key. */
  pattern(clientPrefix: string): string {
    return `${`${clientPrefix}${this.#prefix}`.replace(/[\\*?[\]]/g, '\\$&')}:{*}:creds`
  }

  sessionIdOf(key: string, clientPrefix: string): string {
    const begin = clientPrefix.length + this.#prefix.length + ':{'.length
    return key.slice(begin, -'}:creds'.length).replace(/%(25|7D)/g, decodeURIComponent)
  }
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
