import { maskSessionId } from './masking.js'

/** What has gone wrong: see docs/errors.md. */
export type StoreErrorCode =
  | 'VERSION_MISMATCH'
  | 'FENCED'
  | 'REWOUND'
  | 'SESSION_LOCKED'
  | 'STORE_UNAVAILABLE'
  | 'TIMEOUT'
  | 'DECRYPTION_FAILED'
  | 'CORRUPT_VALUE'
  | 'SESSION_INCOMPLETE'
  | 'IDENTITY_CONFLICT'
  | 'FOREIGN_DATA'
  | 'INVALID_OPTION'
  | 'INVALID_SESSION_ID'
  | 'INVALID_KEY'
  | 'INVALID_VALUE'
  | 'MISSING_DEPENDENCY'
  | 'VALUE_TOO_LARGE'
  | 'UNSUPPORTED_FORMAT'
  | 'CLOSED'

export interface StoreErrorContext {
  sessionId?: string | undefined
  cause?: unknown
}

/**
 * The base of everything thrown. Branch on `code`: class identity does not survive ESM next to CJS. Messages carry no
 * value, no key and no phone number. They mask the session's name, and the `sessionId` property is not enumerable, so
 * that a logger which copies properties does not write it.
 */
export class StoreError extends Error {
  /** What has gone wrong: branch on it. */
  readonly code: StoreErrorCode
  /** The session that the call was about, if it was about one. */
  declare readonly sessionId: string | undefined

  constructor(code: StoreErrorCode, message: string, context: StoreErrorContext = {}) {
    const { sessionId, cause } = context
    const about = sessionId === undefined ? '' : ` (session "${maskSessionId(sessionId)}")`
    super(`${message}${about}`, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    Object.defineProperty(this, 'sessionId', { value: sessionId, enumerable: false })
  }
}

/** Branch on this: a store of the other module format throws other classes. */
export function hasCode(error: unknown, code: StoreErrorCode): boolean {
  return error instanceof Error && (error as Partial<StoreError>).code === code
}

/** `VERSION_MISMATCH`: the session is not at the version that the caller expects. */
export class VersionMismatchError extends StoreError {
  constructor(
    readonly expected: number,
    readonly actual: number,
    context: StoreErrorContext,
    advice = 'Read the session again and retry.',
  ) {
    super(
      'VERSION_MISMATCH',
      `Expected version ${expected}, found ${actual}; nothing was written. ${advice}`,
      context,
    )
  }
}

/** The owner who stands in the way, as far as the store knows it. */
export interface KnownOwner {
  /** As its opener gave it. */
  label: string | undefined
  claimedAt: Date
}

function nameOwner(owner: KnownOwner | undefined): string {
  if (owner === undefined) return 'Another owner'
  // A number as long as a phone number is masked; a process id is shorter.
  const label = owner.label?.replace(/\p{Nd}{6,}(?=\p{Nd}{2})/gu, '…')
  const name = label === undefined ? 'Another owner' : `"${label}"`
  return `${name} (since ${owner.claimedAt.toISOString()})`
}

/** `FENCED`: a later owner has opened the session, or it was deleted. End the socket. */
export class FencedError extends StoreError {
  /** The later owner's label, if the store knows it. */
  readonly owner: string | undefined

  /** `current` is `undefined` where there is no session: deleted, expired, or opened and not yet written. */
  constructor(
    readonly token: number,
    readonly current: number | undefined,
    context: StoreErrorContext & { owner?: KnownOwner | undefined },
  ) {
    const found =
      current === undefined
        ? 'Another owner has opened the session, or it was deleted or has expired'
        : `${nameOwner(context.owner)} has opened the session, with fencing token ${current}`
    super(
      'FENCED',
      `${found}: the owner with token ${token} may not write any more. Nothing was written. End this socket.`,
      context,
    )
    this.owner = context.owner?.label
  }

  /** @internal A copy that names the later owner. */
  by(owner: KnownOwner): FencedError {
    return new FencedError(this.token, this.current, { sessionId: this.sessionId, cause: this.cause, owner })
  }
}

/** The store is behind what this process has seen. `CodecStore` heals it and does not pass the error on. */
export class RewoundError extends StoreError {
  constructor(
    readonly seen: number,
    readonly found: number,
    context: StoreErrorContext,
  ) {
    super('REWOUND', `The store went back from version ${seen} to ${found}; nothing was written.`, context)
  }
}

/** Another owner holds the session by an exclusive lease. */
export class SessionLockedError extends StoreError {
  /** The owner's label, if the store knows it. */
  readonly owner: string | undefined

  constructor(
    readonly remainingMs: number,
    context: StoreErrorContext & { owner?: KnownOwner | undefined },
  ) {
    super(
      'SESSION_LOCKED',
      `${nameOwner(context.owner)} has the session open, in this process or in another one. Its lease ends in ${remainingMs} ms ` +
        'unless the owner renews it. Close the session there, or wait for the end of the lease.',
      context,
    )
    this.owner = context.owner?.label
  }

  /** @internal A copy that names the owner. */
  by(owner: KnownOwner): SessionLockedError {
    return new SessionLockedError(this.remainingMs, { sessionId: this.sessionId, cause: this.cause, owner })
  }
}

/** `STORE_UNAVAILABLE`: the database cannot be reached, or refuses the call for now. */
export class StoreUnavailableError extends StoreError {
  /** When this process first found it unavailable. */
  readonly since: Date
  /** Of its server or servers, as configured in the client: `host:port`. Of SQLite: the path of the file, masked. */
  readonly address: string | undefined
  readonly #reason: string

  constructor(
    readonly store: string,
    reason: string,
    context: StoreErrorContext & { since?: Date | undefined; address?: string | undefined } = {},
  ) {
    const { since = new Date(), address } = context
    super('STORE_UNAVAILABLE', `${nameServer(store, address)} is unavailable: ${reason}`, context)
    this.since = since
    this.address = address
    this.#reason = reason
  }

  /** @internal Without the full stop. */
  get reason(): string {
    return this.#reason.replace(/\.$/, '')
  }

  /** @internal The state of the server, for the error of a call that later misses its deadline. */
  get situation(): string {
    return `${nameServer(this.store, this.address)}: ${this.reason}`
  }

  /** A copy, with context that the thrower did not have. */
  with(known: {
    sessionId?: string | undefined
    since?: Date | undefined
    /** What to do, as a sentence. */
    advice?: string
  }): StoreUnavailableError {
    const { store, since, address, cause } = this
    const OwnClass = this.constructor as typeof StoreUnavailableError // the build may rename the class
    const reason = known.advice === undefined ? this.#reason : `${this.#reason} ${known.advice}`
    return new OwnClass(store, reason, {
      sessionId: this.sessionId,
      since,
      address,
      cause,
      ...known,
    })
  }
}

function nameServer(store: string, address: string | undefined): string {
  return address === undefined ? store : `${store} at ${address}`
}

/** These calls change nothing, so a timeout leaves no doubt about a write. */
const READS = new Set(['get', 'getCreds', 'getKeys', 'exists', 'list', 'listKeys', 'open', 'describe'])

/** `TIMEOUT`: the deadline of the call is over. A write may have been applied; repeating it is safe. */
export class StoreTimeoutError extends StoreError {
  /** `situation`: the state of the server, if known. */
  constructor(
    readonly operation: string,
    readonly timeoutMs: number,
    context: StoreErrorContext & { situation?: string | undefined } = {},
  ) {
    const { situation, cause } = context
    const doubt = READS.has(operation) ? '' : ' A write may or may not have been applied.'
    const advice =
      cause === undefined
        ? 'Repeat the call, or raise "resilience.operationTimeout".'
        : 'Once that is fixed, repeat the call.'
    const why = situation === undefined ? '' : `: ${situation}`
    super('TIMEOUT', `"${operation}" did not end within ${timeoutMs} ms${why}. ${advice}${doubt}`, context)
  }
}

/** `DECRYPTION_FAILED`: the value belongs to another master key, or was changed. */
export class DecryptionError extends StoreError {
  /** Ids (not secrets) of the master keys that were tried, in hex. */
  readonly keyIdsTried: readonly string[]

  constructor(reason: string, context: StoreErrorContext & { keyIdsTried?: readonly string[] }) {
    super('DECRYPTION_FAILED', `${reason} Nothing was overwritten.`, context)
    this.keyIdsTried = context.keyIdsTried ?? []
  }
}

const REMEDY_OF_VALUE = 'restore the value from a backup or delete it'
const REMEDY_OF_SESSION =
  'restore the session from a backup, or delete it by "store.delete(sessionId)" and pair it anew'

/** `CORRUPT_VALUE`: what is stored cannot be a value or a session of this library. */
export class CorruptValueError extends StoreError {
  /** `remedy`: what the operator does; by default for the session, if it is known. */
  constructor(
    reason: string,
    context: StoreErrorContext = {},
    remedy = context.sessionId === undefined ? REMEDY_OF_VALUE : REMEDY_OF_SESSION,
  ) {
    super('CORRUPT_VALUE', `${reason} Nothing was overwritten; ${remedy}.`, context)
  }
}

/** `UNSUPPORTED_FORMAT`: a later version of this library wrote it. */
export class UnsupportedFormatError extends StoreError {
  constructor(reason: string, context: StoreErrorContext = {}) {
    super('UNSUPPORTED_FORMAT', `${reason} Upgrade @luoarch/baileys-store-core.`, context)
  }
}

/** `FOREIGN_DATA`: there is data of another store under the name of a new session. */
export class ForeignDataError extends StoreError {
  /** `found`: the data and its place, without the session's name. */
  constructor(
    readonly found: string,
    context: StoreErrorContext,
  ) {
    super(
      'FOREIGN_DATA',
      `The session is new here, and there is ${found}: @luoarch/baileys-store-core 1.0.0-rc.1 to rc.6 stored sessions in this way. ` +
        'Nothing was written. To keep its pairing, import it: see "From releases 1.0.0-rc.1 to rc.6" in docs/moving-in.md. ' +
        'To pair anew and leave that data where it is, open the session with "ignoreForeignData: true".',
      context,
    )
  }
}

const HALF =
  'Half of the session is missing, its creds or its keys, so this is not a new session. Restore it, or delete it to pair anew.'

const UNFINISHED =
  'An import of the session has not ended: it is under way, or was cut off. Wait for it, or import the session again.'

/** `SESSION_INCOMPLETE`: half of the session is missing; or a write without creds would begin one. */
export class SessionIncompleteError extends StoreError {
  /** `isUnfinishedImport`: an import of the session has not ended. */
  constructor(
    context: StoreErrorContext,
    message = HALF,
    readonly isUnfinishedImport = false,
  ) {
    super('SESSION_INCOMPLETE', message, context)
  }

  static ofUnfinishedImport(context: StoreErrorContext): StoreError {
    return new this(context, UNFINISHED, true)
  }

  static ofWriteToNothing(context: StoreErrorContext): StoreError {
    const message =
      'There is no such session, and a write without creds cannot begin one; nothing was written.'
    return new this(context, `${message} Write the creds first, or in the same call.`)
  }
}

/** `IDENTITY_CONFLICT`: the creds belong to another pairing than the stored ones. */
export class IdentityConflictError extends StoreError {
  constructor(context: StoreErrorContext) {
    super(
      'IDENTITY_CONFLICT',
      'These creds belong to another pairing than the stored ones; nothing was written. ' +
        'Delete the session first, or pass "resetIdentity: true" if the pairing is to be replaced.',
      context,
    )
  }
}

/** `INVALID_OPTION`: an option, a client, a server or a collection that the store cannot work with. */
export class InvalidOptionError extends StoreError {
  constructor(message: string, context: StoreErrorContext = {}) {
    super('INVALID_OPTION', message, context)
  }
}

/** `INVALID_SESSION_ID`: not 1 to 1,024 bytes of well-formed text. */
export class InvalidSessionIdError extends StoreError {
  constructor(reason: string) {
    super(
      'INVALID_SESSION_ID',
      `The session id must be 1 to 1,024 bytes of well-formed text without NUL: ${reason}.`,
    )
  }
}

/** A type or id of a key that cannot be stored. */
export class InvalidKeyError extends StoreError {
  constructor(reason: string, context: StoreErrorContext = {}) {
    super('INVALID_KEY', reason, context)
  }
}

/** A value that cannot be stored without losing a part of it. */
export class InvalidValueError extends StoreError {
  constructor(reason: string, context: StoreErrorContext = {}) {
    super('INVALID_VALUE', reason, context)
  }
}

/** `VALUE_TOO_LARGE`: a value is above the limit of the store. */
export class ValueTooLargeError extends StoreError {
  /** `bytes`: `Infinity` for a value whose JSON does not fit in a string. */
  constructor(
    readonly bytes: number,
    readonly maxBytes: number,
    context: StoreErrorContext = {},
  ) {
    super('VALUE_TOO_LARGE', `A value is above the limit of ${maxBytes} bytes; nothing was written.`, context)
  }
}

/** `MISSING_DEPENDENCY`: a package that the store needs is not installed. */
export class MissingDependencyError extends StoreError {
  constructor(packageName: string, purpose: string, cause?: unknown) {
    super('MISSING_DEPENDENCY', `${purpose} needs the package "${packageName}": npm install ${packageName}`, {
      cause,
    })
  }
}

/** `CLOSED`: the store or the hook was closed before the call. */
export class ClosedError extends StoreError {
  constructor(what: string, context: StoreErrorContext = {}) {
    super('CLOSED', `${what} is closed; open it again to go on.`, context)
  }
}
