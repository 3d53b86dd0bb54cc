/** The contract of every database: it speaks bytes. Types, and the names of what every session has. */
import type { Durability, Field, SessionPage } from './auth-store.js'
import type { Call } from './retry.js'
import type { KnownSituation } from './server-link.js'

export interface FieldWrite extends Field {
  /** `null` deletes. */
  readonly bytes: Uint8Array | null
  /** Of a heal: the version that wrote it first, below that of the commit. Default: that of the commit. */
  readonly version?: number | undefined
}

export interface StoredField extends Field {
  readonly bytes: Uint8Array
}

/** Version and fence of a session, as they were at the moment of the answer. */
export interface Head {
  /** `false`: never written, deleted, or expired. Version and fence are then those of its tombstone. */
  readonly exists: boolean
  readonly version: number
  readonly fence: number
  readonly updatedAtMs: number
  /** Names the history that the version belongs to: see core/store/histories.ts. Empty: it is not known. */
  readonly incarnation: string
  /** The operation that wrote the version. Empty: it is not known, or does not tell. */
  readonly operation: string
  /** The last operations, as core/store/operation-ids.ts writes them; `undefined`: they were not read. */
  readonly ops?: string | undefined
}

/** Where an incarnation of a session ended, and the next one began: see core/store/histories.ts. */
export interface Fork {
  readonly from: string
  readonly at: number
  readonly to: number
}

/** What a head knows of its history. Both are empty where nothing is known: in sessions of earlier releases. */
export interface StoredHistory {
  readonly incarnation: string
  /** As core/store/histories.ts writes them. */
  readonly forks: string
}

/** An operation that was applied, and the version and instant that it took. */
export interface AppliedOperation {
  readonly id: string
  readonly version: number
  readonly updatedAtMs: number
}

/** What a process has to know of a history that is not the one it knew. */
export interface HistoryResult {
  readonly head: Head
  /** The last one first. */
  readonly forks: readonly Fork[]
  /**
   * Which version has written each of the fields asked for, as far as histories have parted since: 0 if none has,
   * `undefined` if that is not known any more.
   */
  readonly versions: readonly (number | undefined)[]
}

export interface ReadResult {
  readonly head: Head
  /** In the order of the fields asked for; all `undefined` when the session does not exist. */
  readonly values: readonly (Uint8Array | undefined)[]
}

export interface SnapshotResult {
  readonly head: Head
  readonly fields: readonly StoredField[]
}

/** Conditions that a write must meet; one that is not met refuses all of it and writes nothing. */
export interface Guard {
  /** Refuse with `VersionMismatchError` unless the session is at this version; 0 is "absent". */
  readonly expectedVersion?: number | undefined
  /** Refuse with `FencedError` when the session's fence is higher, or the session was deleted since. */
  readonly fencingToken?: number | undefined
  /** Refuse with `RewoundError` when the session is behind this version. */
  readonly seenVersion?: number | undefined
  /**
   * With `seenVersion`: refuse with `RewoundError` also when the session is of another incarnation, or another operation
   * has written that version of it. Empty: any.
   */
  readonly seenIncarnation?: string | undefined
  readonly seenOperation?: string | undefined
}

/** A write that nobody waits for any more must not be carried out after a later one. */
interface Abandonable {
  readonly call?: Call | undefined
}

export interface Commit extends Guard, Abandonable {
  readonly writes: readonly FieldWrite[]
  /** The same id twice is one write: what a retry after a lost answer needs. */
  readonly operationId: string
  /** The new version is above this one: how a store that went back in time is brought forward again. */
  readonly above?: number | undefined
  /** Of such a heal: the session becomes a new incarnation, which goes on from version `at` of this one. */
  readonly fork?: Omit<Fork, 'to'> | undefined
  /** Refuse with `SessionIncompleteError` where there is no session: one begins with its creds. */
  readonly needsSession?: boolean | undefined
}

/** The same id twice is one deletion. */
export interface Deletion extends Guard, Abandonable {
  readonly operationId: string
  /** As of `Commit`: the tombstone's version is above this one. */
  readonly above?: number | undefined
}

export interface CommitResult {
  readonly version: number
  readonly updatedAtMs: number
  /** That of the session after it. */
  readonly incarnation: string
  /** That of the commit, where it wrote `version`; else empty. */
  readonly operation: string
  readonly durability: Durability
}

/** What a deletion has left. */
export interface BackendDeletion {
  /** Those of the tombstone. */
  readonly version: number
  readonly fence: number
  /** That of the deletion, where it wrote `version` and the store tells of each version which one has; else empty. */
  readonly operation: string
  readonly durability: Durability
}

export interface BackendClaim {
  readonly fencingToken: number
  readonly head: Head
  readonly creds: Uint8Array | undefined
}

/**
 * Bytes in, bytes out. A backend never sees a value and never decides what absence means.
 * Every method is atomic: it reads one state of the session, or it writes all or nothing.
 * Versions and fences of a session only grow, through deletion and expiry too. Failure is thrown, as a `StoreError`.
 */
export interface Backend {
  /** To its server, where it has one. */
  readonly link?: KnownSituation | undefined
  /**
   * `fencingToken`: of the owner who asks. To it a session that has expired is still there, as long as all of it is;
   * `SESSION_INCOMPLETE` after that.
   */
  read(sessionId: string, fields: readonly Field[], fencingToken?: number): Promise<ReadResult>
  readAll(sessionId: string): Promise<SnapshotResult>
  /** For a process that finds another history than it knew. */
  readHistory(sessionId: string, fields: readonly Field[]): Promise<HistoryResult>
  /** A commit with neither writes nor `above` checks its guard and changes nothing. */
  commit(sessionId: string, commit: Commit): Promise<CommitResult>
  /** Leaves a tombstone, so that no earlier owner's late write brings the session back. */
  delete(sessionId: string, deletion: Deletion): Promise<BackendDeletion>
  /**
   * Takes the next fencing token, whether or not the session exists; with `leaseMs`, also the lease for that long.
   * Refused with `SessionLockedError` while another claim's lease has not ended. `call`: what waits for it; a claim
   * that nobody waits for any more would cost the next owner its session.
   */
  claim(sessionId: string, leaseMs?: number, call?: Call): Promise<BackendClaim>
  /** What another store has under the name of a session that does not exist here, as errors tell it. */
  findForeign?(sessionId: string): Promise<string | undefined>
  /** When a session that does not exist has ended by its TTL, in ms; `undefined`: it has not, or that is forgotten. */
  findEnd(sessionId: string): Promise<number | undefined>
  /** Sets the lease of the owner with this token to end after `leaseMs`, or now (`null`); else `FencedError`. */
  lease(sessionId: string, fencingToken: number, leaseMs: number | null): Promise<void>
  /** `ttlMs`: `null` is for ever. A session that does not exist stays so. */
  touch(sessionId: string, ttlMs: number | null): Promise<void>
  /** Existing sessions, in a stable order. */
  list(limit: number, cursor: string | undefined): Promise<SessionPage>
  /** Names of the fields of one type, or of all. `fencingToken`: as of `read`. */
  listFields(sessionId: string, type: string | undefined, fencingToken?: number): Promise<Field[]>
  isHealthy(): Promise<boolean>
  /** Waits for what is under way. */
  close(): Promise<void>
}

/** The field that holds the creds. Its id is empty, which no key's id may be. */
export const CREDS_FIELD: Field = { type: 'creds', id: '' }
/** Where `appState` lies. The `@` keeps it apart from every type of key. */
export const APP_STATE_TYPE = '@app-state'
/** The largest value, before compression; nothing is inflated beyond it. */
export const MAX_VALUE_BYTES = 64 * 1024 * 1024
