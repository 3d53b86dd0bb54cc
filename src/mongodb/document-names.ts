import type { Field } from '../core/auth-store.js'
import { InvalidKeyError, InvalidSessionIdError } from '../core/errors.js'

/** FerretDB keeps its data in PostgreSQL, which refuses index entries above 2,704 bytes. */
const MAX_ID_BYTES = 2600
/** Leaves room for the names of the creds and of a chain. */
const MAX_SESSION_BYTES = 2500

/**
 *   <session>/                        the head
 *   <session>//<chain>/<number>       a part of an intent that is larger than a document
 *   <session>/<type>/<id>             a field
 *
 * `/` and `%` within a name are escaped, so that all documents of a session form one range of `_id`, the head first.
 */
export class DocumentNames {
  readonly sessionId: string
  readonly head: string
  readonly #prefix: string

  /** Throws `INVALID_SESSION_ID` if the documents of the session would have too long names. */
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

  /** Throws `INVALID_KEY` if the document's name would be too long. */
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

  /** The chains, the fields, and any other documents in the range. */
  get belowHead(): { $gt: string; $lt: string } {
    return { $gt: this.head, $lt: `${this.#prefix}0` }
  }

  /** The fields alone: no type of key begins with a character before `0`. */
  get fields(): { $gte: string; $lt: string } {
    return { $gte: `${this.head}0`, $lt: `${this.#prefix}0` }
  }

  get chains(): { $gte: string; $lt: string } {
    return { $gte: `${this.head}/`, $lt: `${this.head}0` }
  }
}

/** Whether a document is a head. `session` may be foreign text. */
export function isHeadOf(id: unknown, session: unknown): session is string {
  return (
    typeof session === 'string' && id === `${escapeName(session)}/` && !isLonger(session, MAX_SESSION_BYTES)
  )
}

/** The name of a field within its session. */
export function toSuffix({ type, id }: Field): string {
  return `${type}/${escapeName(id)}`
}

export function parseSuffix(suffix: string): Field {
  const end = suffix.indexOf('/')
  if (end === -1) return { type: '', id: suffix } // a foreign document: no field of this library is named so
  return { type: suffix.slice(0, end), id: unescapeName(suffix.slice(end + 1)) }
}

/** A character of JavaScript takes at most three bytes in UTF-8. */
function isLonger(name: string, maxBytes: number): boolean {
  return name.length * 3 > maxBytes && Buffer.byteLength(name) > maxBytes
}

function escapeName(name: string): string {
  return name.replace(/[%/]/g, encodeURIComponent)
}

function unescapeName(name: string): string {
  return name.replace(/%(25|2F)/g, decodeURIComponent)
}
