import type { Field } from '../core/auth-store.js'
import { InvalidKeyError, InvalidSessionIdError } from '../core/errors.js'

/** PostgreSQL, which FerretDB keeps its data in, refuses index entries above 2,704 bytes. */
const MAX_ID_BYTES = 2600
/** Leaves room for the creds and for a chain. */
const MAX_SESSION_BYTES = 2500

/**
 *   <session>/                        the head
 *   <session>//<chain>/<number>       a part of an intent that is larger than a document
 *   <session>/<type>/<id>             a field
 *
 * `/` and `%` within a name are escaped, so that all documents of a session are one range of `_id`, the head first.
 */
export class DocumentNames {
  readonly sessionId: string
  readonly head: string
  readonly #prefix: string

  /** Throws `INVALID_SESSION_ID` where no document could have that name. */
  constructor(sessionId: string) {
    this.sessionId = sessionId
    this.#prefix = escapeName(sessionId)
    if (isLonger(this.#prefix, MAX_SESSION_BYTES)) {
      throw new InvalidSessionIdError(
        `in MongoDB each "/" and "%" counts as three, and ${MAX_SESSION_BYTES} are the most`,
      )
    }
    this.head = `${this.#prefix}/`
  }

  /** Throws `INVALID_KEY` where no document could have that name. */
  of(field: Field): string {
    const name = this.ofSuffix(toSuffix(field))
    if (!isLonger(name, MAX_ID_BYTES)) return name
    throw new InvalidKeyError(
      `The session id and an id of type "${field.type}" are too long together: with each "/" and "%" counted as ` +
        `three they may have ${MAX_ID_BYTES} bytes.`,
      { sessionId: this.sessionId },
    )
  }

  ofSuffix(suffix: string): string {
    return `${this.head}${suffix}`
  }

  suffixOf(name: string): string {
    return name.slice(this.head.length)
  }

  chain(chain: string, part: number): string {
    return `${this.head}/${chain}/${part}`
  }

  /** The head, the chains and the fields. `0` comes after `/`. */
  get all(): { $gte: string; $lt: string } {
    return { $gte: this.head, $lt: `${this.#prefix}0` }
  }

  /** The chains and the fields, and whatever else has got there. */
  get belowHead(): { $gt: string; $lt: string } {
    return { $gt: this.head, $lt: `${this.#prefix}0` }
  }

  /** No type of key begins with a character before `0`. */
  get fields(): { $gte: string; $lt: string } {
    return { $gte: `${this.head}0`, $lt: `${this.#prefix}0` }
  }

  get chains(): { $gte: string; $lt: string } {
    return { $gte: `${this.head}/`, $lt: `${this.head}0` }
  }
}

/** Of a `session` that anybody may have stored. */
export function isHeadOf(id: unknown, session: unknown): session is string {
  return (
    typeof session === 'string' && id === `${escapeName(session)}/` && !isLonger(session, MAX_SESSION_BYTES)
  )
}

/** What a field is called within its session. */
export function toSuffix({ type, id }: Field): string {
  return `${type}/${escapeName(id)}`
}

export function parseSuffix(suffix: string): Field {
  const end = suffix.indexOf('/')
  return { type: suffix.slice(0, end), id: unescapeName(suffix.slice(end + 1)) }
}

/** UTF-8 takes three bytes for one of JavaScript's at the most. */
function isLonger(name: string, maxBytes: number): boolean {
  return name.length * 3 > maxBytes && Buffer.byteLength(name) > maxBytes
}

function escapeName(name: string): string {
  return name.replace(/[%/]/g, encodeURIComponent)
}

function unescapeName(name: string): string {
  return name.replace(/%(25|2F)/g, decodeURIComponent)
}
