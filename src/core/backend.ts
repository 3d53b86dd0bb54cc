/** The contract of every database, in bytes. Types, and the names of fields that every session has. */
import type { Durability, Field, SessionPage } from './auth-store.js'
import type { Call } from './retry.js'
import type { KnownSituation } from './server-link.js'

export interface FieldWrite extends Field {
  /** `null` deletes. */
  readonly bytes: Uint8Array | null
  /** For a heal: the version that first wrote the field, below the commit's. Default: the commit's. */
  readonly version?: number | undefined
}

export interface StoredField extends Field {
  readonly bytes: Uint8Array
}

/** Version and fence of a session at the time of the answer. */
export interface Head {
  /**
   * `false`: never written, deleted, or expired. Version and fence are then those of its tombstone, and `updatedAtMs` of a
   * deleted session is the instant of its deletion.
   */
  readonly exists: boolean
  readonly version: number
  readonly fence: number
  readonly updatedAtMs: number
  /** Names the history that the version belongs to: see core/store/histories.ts. Empty: unknown. */
  readonly incarnation: string
  /** The operation that wrote the version. Empty: unknown, or no evidence of the history. */
  readonly operation: string
  /** The last operations, as core/store/operation-ids.ts writes them; `undefined`: not read. */
  readonly ops?: string | undefined
}

/** Where an incarnation of a session ended, and the next one began: see core/store/histories.ts. */
export interface Fork {
  readonly from: string
  readonly at: number
  readonly to: number
}

/** What a head knows of its history. Both are empty if nothing is known, as in sessions of earlier releases. */
export interface StoredHistory {
  readonly incarnation: string
  /** In the format of core/store/histories.ts. */
  readonly forks: string
}

/** An applied operation, with the version and the instant that it got. */
export interface AppliedOperation {
  readonly id: string
  readonly version: number
  readonly updatedAtMs: number
}

/** A change of this process, and the version that it took. */
export interface OwnStep {
  readonly version: number
  readonly operation: string
}

/** What a process needs to know of a history other than its own. */
export interface HistoryResult {
  readonly head: Head
  /** Whether there is a tombstone: what was written before the deletion does not belong into the session any more. */
  readonly isDeleted: boolean
  /** The latest fork first. */
  readonly forks: readonly Fork[]
  /**
   * For each field asked for, the version that has written it since the histories parted: 0 if none has, `undefined` if
   * the store no longer knows.
   */
  readonly versions: readonly (number | undefined)[]
}

export interface ReadResult {
  readonly head: Head
  /** In the order of the fields asked for; all `undefined` if the session does not exist. */
  readonly values: readonly (Uint8Array | undefined)[]
}

export interface SnapshotResult {
  readonly head: Head
  readonly fields: readonly StoredField[]
}

/** What a catalogue tells of a session, from its head alone; see `SessionInfo`. */
export interface Summary {
  readonly head: Head
  readonly createdAtMs?: number | undefined
  readonly expiresAtMs?: number | undefined
  /** The last claim, if the database knows one. */
  readonly claim?: ClaimNote | undefined
  /** `undefined`: nobody has the lease. */
  readonly leaseEndsAtMs?: number | undefined
  /** The creds' envelope, or at least its first `PEEKED_BYTES`. */
  readonly creds?: Uint8Array | undefined
}

export interface ClaimNote {
  readonly claimedAtMs: number
  /** As the claim gave it. */
  readonly owner?: string | undefined
}

/** Conditions of a write. If one is not met, the backend refuses the write and writes nothing. */
export interface Guard {
  /** Refuse with `VersionMismatchError` unless the session is at this version; 0 is "absent". */
  readonly expectedVersion?: number | undefined
  /** Refuse with `FencedError` if the session's fence is higher, or if the session was deleted since. */
  readonly fencingToken?: number | undefined
  /** Refuse with `RewoundError` if the session is behind this version. */
  readonly seenVersion?: number | undefined
  /**
   * With `seenVersion`: refuse with `RewoundError` also if the session is of another incarnation, or if another
   * operation wrote that version. Empty: any.
   */
  readonly seenIncarnation?: string | undefined
  readonly seenOperation?: string | undefined
  /** The same for an earlier version: a change of the caller. */
  readonly seenOwn?: OwnStep | undefined
}

/** A write that no caller waits for any more must not be carried out after a later one. */
interface Abandonable {
  readonly call?: Call | undefined
}

export interface Commit extends Guard, Abandonable {
  readonly writes: readonly FieldWrite[]
  /** A commit with the same id is the same write: a retry after a lost answer repeats it. */
  readonly operationId: string
  /** The new version is above this one. A heal uses it after the store has gone back in time. */
  readonly above?: number | undefined
  /** For a heal: the session becomes a new incarnation, which continues from version `at` of this one. */
  readonly fork?: Omit<Fork, 'to'> | undefined
  /** Refuse with `SessionIncompleteError` if there is no session: a session begins with its creds. */
  readonly needsSession?: boolean | undefined
  readonly lifeMs?: LifeMs | undefined
}

/**
 * How long a session lives from a commit on: `null` is for ever, `kept` as long as before. Default: the store's ttl. The
 * bytes of an expired session stay for its owner to come back; those of a copy in the trash end with its life.
 */
export type LifeMs = number | null | 'kept'

/** A deletion with the same id is the same deletion. */
export interface Deletion extends Guard, Abandonable {
  readonly operationId: string
  /** The tombstone's version is above this one. */
  readonly above?: number | undefined
  /** For a heal: the instant of the deletion that it repeats. Default: now. */
  readonly deletedAtMs?: number | undefined
}

export interface CommitResult {
  readonly version: number
  readonly updatedAtMs: number
  /** The session's incarnation after the commit. */
  readonly incarnation: string
  /** The commit's operation, if it wrote `version`; else empty. */
  readonly operation: string
  readonly durability: Durability
  /** It was written above another history, which was not compared with what this process had seen. */
  readonly isAbove?: true | undefined
}

/** The tombstone of a deletion. */
export interface BackendDeletion {
  /** The tombstone's version and fence. */
  readonly version: number
  readonly fence: number
  /** By the database's clock, as `Head.updatedAtMs`. */
  readonly deletedAtMs: number
  /** The deletion's operation, if it wrote `version` and the store keeps the operation of a version; else empty. */
  readonly operation: string
  readonly durability: Durability
}

/** How a session is claimed. */
export interface ClaimTerms {
  /** Also take the lease for that time. */
  readonly leaseMs?: number | undefined
  /** The session lives as long as before. Default `false`: for the store's ttl from now. */
  readonly keepsLife?: boolean | undefined
  /** Who claims it, for the catalogue and for the errors of others. */
  readonly owner?: string | undefined
  /** The call that waits for the claim; an abandoned claim would cost the next owner its session. */
  readonly call?: Call | undefined
}

export interface BackendClaim {
  readonly fencingToken: number
  readonly head: Head
  readonly creds: Uint8Array | undefined
}

/**
 * Bytes in, bytes out. A backend never sees a value and never decides what absence means. Every method is atomic: it
 * reads one state of the session, or it writes all or nothing. Versions and fences of a session only grow, also through
 * deletion and expiry. Failure throws a `StoreError`.
 */
export interface Backend {
  /** The link to the backend's server, if it has one. */
  readonly link?: KnownSituation | undefined
  /**
   * `fencingToken`: the caller's, if it owns the session. The owner still finds an expired session while all of it is
   * left; after that, `SESSION_INCOMPLETE`.
   */
  read(sessionId: string, fields: readonly Field[], fencingToken?: number): Promise<ReadResult>
  readAll(sessionId: string): Promise<SnapshotResult>
  /** Reads none of the keys. */
  summarize(sessionId: string): Promise<Summary>
  /** For a process that finds another history than its own. */
  readHistory(sessionId: string, fields: readonly Field[]): Promise<HistoryResult>
  /** A commit with neither writes nor `above` checks its guard and changes nothing. */
  commit(sessionId: string, commit: Commit): Promise<CommitResult>
  /**
   * Leaves a tombstone, so that a late write of an earlier owner does not bring the session back; also if there is no
   * session, since a process may know one that the database has lost.
   */
  delete(sessionId: string, deletion: Deletion): Promise<BackendDeletion>
  /**
   * Takes the next fencing token, whether or not the session exists. Refused with `SessionLockedError` while another
   * claim's lease lasts.
   */
  claim(sessionId: string, terms?: ClaimTerms): Promise<BackendClaim>
  /** What to do about an outage that ends an opening, as a sentence. */
  readonly openingAdvice?: string | undefined
  /** Another store's data under the name of a session that does not exist here, in the words of an error. */
  findForeign?(sessionId: string): Promise<string | undefined>
  /** When the TTL of an absent session ended, in ms; `undefined`: it did not end by TTL, or the store has forgotten. */
  findEnd(sessionId: string): Promise<number | undefined>
  /**
   * Makes the lease of the owner with this token end after `leaseMs`, or now (`null`). Throws `FencedError` for other
   * tokens.
   */
  lease(sessionId: string, fencingToken: number, leaseMs: number | null): Promise<void>
  /** `ttlMs`: `null` is for ever. Does nothing for a session that does not exist. */
  touch(sessionId: string, ttlMs: number | null): Promise<void>
  /** Existing sessions, in a stable order. */
  list(limit: number, cursor: string | undefined): Promise<SessionPage>
  /** Names of the fields of one type, or of all. `fencingToken`: see `read`. */
  listFields(sessionId: string, type: string | undefined, fencingToken?: number): Promise<Field[]>
  isHealthy(): Promise<boolean>
  /** Waits for calls under way. */
  close(): Promise<void>
}

/** The field that holds the creds. Its id is empty, which no key's id may be. */
export const CREDS_FIELD: Field = { type: 'creds', id: '' }
/** The type of the `appState` fields. The `@` keeps it apart from every type of key. */
export const APP_STATE_TYPE = '@app-state'
/** Bytes of an envelope that tell its pairing. */
export const PEEKED_BYTES = 2
/** The largest value before compression. Nothing is inflated beyond it. */
export const MAX_VALUE_BYTES = 64 * 1024 * 1024
