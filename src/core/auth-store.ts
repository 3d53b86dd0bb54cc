/** The contract of every store: it speaks values. `CodecStore` is its one implementation, over any `Backend`. */
import type { Registry } from 'prom-client'
import type { Logger } from './logger.js'
import type { Gauges } from './metrics.js'

/** Identity and settings of a bot, as Baileys' `AuthenticationCreds`; stored whole. */
export type StoredCreds = Record<string, unknown>

/** Signal keys by type and id. In a patch, `null` and `undefined` delete. */
export type KeysByType<V = unknown> = { [type: string]: { [id: string]: V } | undefined }

export interface AuthSnapshot {
  creds: StoredCreds
  keys: { [type: string]: { [id: string]: unknown } }
  appState?: { [name: string]: unknown }
}

export interface AuthPatch {
  creds?: object | undefined
  keys?: KeysByType | undefined
  /** Anything else that belongs to the session, by name; not read by Baileys. */
  appState?: { [name: string]: unknown } | undefined
}

export interface Versioned<T> {
  data: T
  /** Grows with every write to the session; never goes back. */
  version: number
  updatedAt: Date
}

/** `durable`: as safe as the store can make it. `outbox`: kept by Redis, on its way to MongoDB. */
export type Durability = 'durable' | 'outbox'

export interface VersionedResult {
  version: number
  updatedAt: Date
  success: true
  durability: Durability
}

/** What a deletion is worth; a write that removes everything is as durable as any other. */
export interface DeletionResult {
  durability: Durability
}

export interface SessionPage {
  sessionIds: string[]
  /** Pass it back as `cursor` for the next page; `null` after the last one. */
  cursor: string | null
}

export interface ListOptions {
  /** Most sessions a page; default 100. */
  limit?: number | undefined
  /** That of the page before; `null` or none begins with the first. */
  cursor?: string | null | undefined
}

/** The name of one stored value of a session. */
export interface Field {
  readonly type: string
  readonly id: string
}

export interface SessionUpdate {
  sessionId: string
  patch: AuthPatch
  expectedVersion?: number | undefined
  fencingToken?: number | undefined
}

/** One entry of a batch: each succeeds or fails on its own. */
export type BatchResult<T> = { sessionId: string; value: T } | { sessionId: string; error: Error }

export interface ClaimOptions {
  /** Also take the exclusive lease: until it ends or is released, every other claim is refused. */
  exclusive?: boolean | undefined
  /** Throws for creds that the caller cannot use: then nothing is taken, and the owner keeps the session. */
  checkCreds?: ((creds: StoredCreds) => void) | undefined
  /**
   * For a caller who takes an absent session for a new one: throws `FOREIGN_DATA`, before anything is taken, where its
   * place holds data of another store. Default `false`.
   */
  refuseForeign?: boolean | undefined
}

/** What opening a session gives: the token that proves ownership, and the creds as they were then. */
export interface Claim {
  /** Greater than every token handed out before for this session. Writes must carry it. */
  fencingToken: number
  version: number
  /** `null`: the session does not exist; every store that could hold it has said so. */
  creds: StoredCreds | null
  /** When a session that does not exist any more has ended by its TTL; known for a day. */
  endedAt?: Date | undefined
}

/** The store went back in time: it answered with a version older than one this process has seen. */
export interface Rewind {
  sessionId: string
  seenVersion: number
  foundVersion: number
  /** How many fields this process still held and has written again; writes older than those are lost. */
  rewrittenFields: number
}

/** The versioned interface of every store. What goes wrong throws a `StoreError`; absent is a value. */
export interface AuthStore {
  /** The whole session, or `null` where there is none. */
  get(sessionId: string): Promise<Versioned<AuthSnapshot> | null>
  /**
   * The keys that exist among `ids`; one round trip. Absent ones are left out. Every value is a copy.
   * `fencingToken`: of the last claim of this process. Its owner may be answered from memory, finds a session that has
   * expired as long as the store keeps it, and is refused with `FENCED` when another one has ended the session, or has
   * opened it and the database has lost what this process knows of it.
   */
  getKeys(
    sessionId: string,
    type: string,
    ids: readonly string[],
    fencingToken?: number,
  ): Promise<Record<string, unknown>>
  /**
   * Writes all of the patch or nothing. A session begins with its creds: a patch without them is refused with
   * `SESSION_INCOMPLETE` where there is no session.
   * `expectedVersion`: refused with `VERSION_MISMATCH` unless the session is at it (0: absent).
   * `fencingToken`: refused with `FENCED` when a later owner has opened or deleted the session.
   */
  set(
    sessionId: string,
    patch: AuthPatch,
    expectedVersion?: number,
    fencingToken?: number,
  ): Promise<VersionedResult>
  /** Removes the session and all its keys. Deleting what is absent is not an error. */
  delete(sessionId: string, expectedVersion?: number, fencingToken?: number): Promise<DeletionResult>
  /** Renews the session's life, by default for as long as the store's `ttl` says; in seconds, 0 is for ever. */
  touch(sessionId: string, ttlSeconds?: number): Promise<void>
  exists(sessionId: string): Promise<boolean>
  /** A page of session ids in a stable order. */
  list(options?: ListOptions): Promise<SessionPage>
  /** All session ids, page by page. */
  sessions(): AsyncIterable<string>
  /** `fencingToken`: see `getKeys`. */
  listKeys(sessionId: string, type?: string, fencingToken?: number): Promise<Field[]>

  batchGet(sessionIds: readonly string[]): Promise<BatchResult<Versioned<AuthSnapshot> | null>[]>
  batchSet(updates: readonly SessionUpdate[]): Promise<BatchResult<VersionedResult>[]>
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
  /** Calls `listener` whenever the session is found to have gone back in time; returns how to stop it. */
  onRewind(listener: (rewind: Rewind) => void): () => void

  /** How long an exclusive lease lasts without being renewed, in seconds. */
  readonly leaseSeconds: number
  /** How long a session lives after its last activity, in seconds; `null` is for ever. */
  readonly ttlSeconds: number | null
  /** Where the store and the hooks over it write their warnings and errors. */
  readonly logger: Logger
  /** Where the hooks over the store count themselves. */
  readonly gauges: Gauges
  /** Whether the server answers, by the deadline of any call. Never throws. */
  isHealthy(): Promise<boolean>
  /** In Prometheus' text format; empty where metrics are turned off. */
  getMetricsText(): Promise<string>
  /** Throws `INVALID_OPTION` where metrics are turned off. */
  getMetricsRegistry(): Registry
  /** Lets go of the connection. Every later call is refused with `CLOSED`. */
  close(): Promise<void>
}
