/** The contract of every store, in values. `CodecStore` is its one implementation, over any `Backend`. */
import type { Registry } from 'prom-client'
import type { Logger } from './logger.js'
import type { Gauges } from './metrics.js'

/** Identity and settings of a bot: Baileys' `AuthenticationCreds`, stored as a whole. */
export type StoredCreds = Record<string, unknown>

/** Signal keys by type and id. In a patch, `null` and `undefined` delete. */
export type KeysByType<V = unknown> = { [type: string]: { [id: string]: V } | undefined }

/** All of a session, as it was read. */
export interface AuthSnapshot {
  creds: StoredCreds
  /** By type and id. */
  keys: { [type: string]: { [id: string]: unknown } }
  /** Other values of the session, by name; absent if there are none. */
  appState?: { [name: string]: unknown }
}

/** What one write changes. It leaves everything else as it is. */
export interface AuthPatch {
  /** All of the creds: they are stored as one value. */
  creds?: object | undefined
  /** Keys by type and id; `null` deletes. */
  keys?: KeysByType | undefined
  /** Other values of the session, by name. Baileys does not read them. */
  appState?: { [name: string]: unknown } | undefined
}

/** A session, and the state that it was read in. */
export interface Versioned<T> {
  data: T
  /** Grows with every write to the session; never goes back. */
  version: number
  /** Of the last write, by the clock of the database. */
  updatedAt: Date
}

/** `durable`: as safe as the store can make it. `outbox`: Redis has it, and MongoDB gets it later. */
export type Durability = 'durable' | 'outbox'

/** The result of a write. A write that fails throws. */
export interface VersionedResult {
  /** The version that the write took. */
  version: number
  /** By the clock of the database. */
  updatedAt: Date
  success: true
  durability: Durability
}

/** The durability of a deletion. The write that removes a session is as durable as any other write. */
export interface DeletionResult {
  durability: Durability
}

/** The last opener of a session. */
export interface SessionOwner {
  /** As the opener gave it: the hook's `owner`, by default `hostname:pid`. `null`: it gave none. */
  label: string | null
  fencingToken: number
  claimedAt: Date
  /** `null`: it holds no exclusive lease. */
  leaseEndsAt: Date | null
}

/** What a catalogue tells of a session, without reading its keys. All instants are by the clock of the database. */
export interface SessionInfo {
  sessionId: string
  version: number
  /** Whether the creds name an account. `null`: not known; the next save of the creds tells it. */
  isPaired: boolean | null
  /** When the session began. `null`: not known. */
  createdAt: Date | null
  /** Of the last write. */
  updatedAt: Date
  /** When its TTL ends unless it is written or touched before. `null`: never. */
  expiresAt: Date | null
  /** `null`: nobody has opened it, or an earlier release of this library has. */
  owner: SessionOwner | null
  /** Only of a deleted session that can be restored: when it was deleted. `updatedAt` is the same, `expiresAt` its end. */
  deletedAt?: Date
  /** Only in `sessions()`: the head is damaged, and the members above tell nothing. An opening gives the error. */
  isDamaged?: true
}

/** Which sessions `sessions()` goes over; by default all. */
export interface SessionFilter {
  /** The deleted sessions that can be restored, instead of the others. Default `false`. */
  deleted?: boolean | undefined
  /** Leave out those that are known not to be paired. Default `false`. */
  pairedOnly?: boolean | undefined
  /** Only those that the owner of this label has opened last. */
  ownedBy?: string | undefined
  /** Only those whose last write is at least this many milliseconds ago. */
  idleSinceMs?: number | undefined
}

export interface SessionPage {
  sessionIds: string[]
  /** Pass it back as `cursor` for the next page; `null` after the last one. */
  cursor: string | null
}

export interface ListOptions {
  /** Most sessions of a page; default 100. */
  limit?: number | undefined
  /** The cursor of the page before; `null` or `undefined` starts with the first page. */
  cursor?: string | null | undefined
}

/** The name of one stored value of a session. */
export interface Field {
  readonly type: string
  readonly id: string
}

/** One write of a batch; see `AuthStore.set`. */
export interface SessionUpdate {
  sessionId: string
  patch: AuthPatch
  /** Refused with `VERSION_MISMATCH` unless the session is at it; 0: absent. */
  expectedVersion?: number | undefined
  /** Refused with `FENCED` if a later owner has opened or deleted the session. */
  fencingToken?: number | undefined
}

/** The result for one session of a batch: each succeeds or fails on its own. */
export type BatchResult<T> = { sessionId: string; value: T } | { sessionId: string; error: Error }

export interface ClaimOptions {
  /** Also take the exclusive lease: until it ends or is released, the store refuses every other claim. */
  exclusive?: boolean | undefined
  /** Throws for creds that the caller cannot use. Then the claim takes nothing, and the owner keeps the session. */
  checkCreds?: ((creds: StoredCreds) => void) | undefined
  /** Names the caller to others: 1 to 128 characters, stored in the clear. Default: no name. */
  owner?: string | undefined
  /**
   * For a caller that treats an absent session as new: the claim throws `FOREIGN_DATA`, and takes nothing, if the place
   * of the session holds data of another store. Default `false`.
   */
  refuseForeign?: boolean | undefined
}

/** The result of a claim: the token that proves ownership, and the creds as they were then. */
export interface Claim {
  /** Greater than every earlier token of this session. Writes must carry it. */
  fencingToken: number
  version: number
  /** `null`: the session does not exist; every database that could hold it has said so. */
  creds: StoredCreds | null
  /** When the TTL of an absent session ended; the store knows it for a day. */
  endedAt?: Date | undefined
}

/** The store went back in time: it answered with an older version than one that this process has seen. */
export interface Rewind {
  sessionId: string
  seenVersion: number
  foundVersion: number
  /** How many fields this process still held and has written again. Older writes are lost. */
  rewrittenFields: number
}

/** The versioned interface of every store. Failure throws a `StoreError`; absence is a value. */
export interface AuthStore {
  /** The whole session, or `null` if there is none. */
  get(sessionId: string): Promise<Versioned<AuthSnapshot> | null>
  /** The creds of the session alone, or `null` if there is none. Takes nothing: the owner keeps the session. */
  getCreds(sessionId: string): Promise<Versioned<StoredCreds> | null>
  /**
   * The keys that exist among `ids`, in one round trip. Leaves absent ones out. Every value is a copy.
   * `fencingToken`: the token of this process's last claim. For its owner, the store may answer from memory, and finds
   * an expired session while the database keeps it. It refuses the owner with `FENCED` once a later owner has
   * opened or deleted the session.
   */
  getKeys(
    sessionId: string,
    type: string,
    ids: readonly string[],
    fencingToken?: number,
  ): Promise<Record<string, unknown>>
  /**
   * Writes all of the patch or nothing. A session begins with its creds: without a session, a patch without creds is
   * refused with `SESSION_INCOMPLETE`.
   * `expectedVersion`: refused with `VERSION_MISMATCH` unless the session is at it (0: absent).
   * `fencingToken`: refused with `FENCED` when a later owner has opened or deleted the session.
   */
  set(
    sessionId: string,
    patch: AuthPatch,
    expectedVersion?: number,
    fencingToken?: number,
  ): Promise<VersionedResult>
  /**
   * Removes the session and all its keys. Deleting an absent session is not an error. For `trash.keepSeconds` seconds,
   * `restore` brings it back.
   */
  delete(sessionId: string, expectedVersion?: number, fencingToken?: number): Promise<DeletionResult>
  /**
   * Brings a deleted session back as it was, at a later version. Its former owners stay refused. `null`: there is nothing
   * to restore. Throws `VERSION_MISMATCH` if there is a session of that name, unless it was never paired, and
   * `SESSION_LOCKED` while an owner holds the exclusive lease of that name.
   */
  restore(sessionId: string): Promise<VersionedResult | null>
  /** Removes the session for good: neither it nor an earlier one of its name can be restored. */
  purge(sessionId: string): Promise<DeletionResult>
  /** Renews the session's life, by default for the store's `ttl`. A `ttlSeconds` of 0 is for ever. */
  touch(sessionId: string, ttlSeconds?: number): Promise<void>
  /** Whether there is such a session. Throws for one that is damaged, or that is there in part. */
  exists(sessionId: string): Promise<boolean>
  /** A page of session ids in a stable order. */
  list(options?: ListOptions): Promise<SessionPage>
  /** What a catalogue shows of the session, or `null` if there is none. Takes nothing: the owner keeps the session. */
  describe(sessionId: string): Promise<SessionInfo | null>
  /** `describe` of all sessions, page by page. A damaged one is among them: see `SessionInfo.isDamaged`. */
  sessions(filter?: SessionFilter): AsyncIterable<SessionInfo>
  /** The names of all keys, or of those of one type, without their values. `fencingToken`: see `getKeys`. */
  listKeys(sessionId: string, type?: string, fencingToken?: number): Promise<Field[]>

  /** `get` of each; the results are in the order of the ids. At most 100,000. */
  batchGet(sessionIds: readonly string[]): Promise<BatchResult<Versioned<AuthSnapshot> | null>[]>
  /** `set` of each; the results are in the order of the updates. Each session is one write, the batch is not. */
  batchSet(updates: readonly SessionUpdate[]): Promise<BatchResult<VersionedResult>[]>
  /** `delete` of each; the results are in the order of the ids. */
  batchDelete(sessionIds: readonly string[]): Promise<BatchResult<DeletionResult>[]>

  /**
   * Takes the ownership of the session: the next fencing token. Creates nothing else.
   * Refused with `SESSION_LOCKED` while another owner holds the exclusive lease.
   */
  claim(sessionId: string, options?: ClaimOptions): Promise<Claim>
  /** Extends the lease to `leaseSeconds` from now. Refused with `FENCED` when a later owner has the session. */
  renewLease(sessionId: string, fencingToken: number): Promise<void>
  /** Ends the lease, so that the next owner need not wait. Refused like `renewLease`. */
  releaseLease(sessionId: string, fencingToken: number): Promise<void>
  /** Calls `listener` whenever the session turns out to have gone back in time. Returns a function that stops this. */
  onRewind(listener: (rewind: Rewind) => void): () => void

  /** The life of an exclusive lease without renewal, in seconds. */
  readonly leaseSeconds: number
  /** The life of a session after its last activity, in seconds; `null` is for ever. */
  readonly ttlSeconds: number | null
  /** The logger for warnings and errors of the store and its hooks. */
  readonly logger: Logger
  /** The gauges in which the store's hooks count themselves. */
  readonly gauges: Gauges
  /** Whether the server answers within the deadline of a call. Never throws. */
  isHealthy(): Promise<boolean>
  /** The metrics in Prometheus' text format; empty if metrics are turned off. */
  getMetricsText(): Promise<string>
  /** Throws `INVALID_OPTION` if metrics are turned off. */
  getMetricsRegistry(): Registry
  /** Releases the connection. The store refuses every later call with `CLOSED`. */
  close(): Promise<void>
}
