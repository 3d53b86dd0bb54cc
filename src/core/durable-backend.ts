/**
 * The contract of a database behind a faster one: it applies writes whose versions come from the other one. Types only.
 */
import type { Field } from './auth-store.js'
import type {
  AppliedOperation,
  Backend,
  BackendClaim,
  BackendDeletion,
  ClaimTerms,
  Commit,
  CommitResult,
  Deletion,
  FieldWrite,
  Head,
  HistoryResult,
  LifeMs,
  ReadResult,
  SnapshotResult,
  StoredHistory,
  Summary,
} from './backend.js'
import type { ServerLink } from './server-link.js'

export interface DurableHead extends Head {
  /** The database had lost the session, and only has what was written since. */
  readonly isPart?: boolean | undefined
}

export type WithDurableHead<T extends { head: Head }> = Omit<T, 'head'> & { readonly head: DurableHead }

/**
 * The distance of the new version from the last one; default 1. A large step outranks versions that it cannot ask for.
 */
interface Stepping {
  readonly step?: number | undefined
}

export interface DurableCommit extends Commit, Stepping {}
export interface DurableDeletion extends Deletion, Stepping {}

/** A claim that leaves the creds to the other database. The head is as the claim has left it. */
export type DurableClaim = Omit<WithDurableHead<BackendClaim>, 'creds'>

/** All that is stored of a session, for a load into the other database. An expired session still has its fields. */
export interface WholeSession extends WithDurableHead<SnapshotResult>, Pick<StoredHistory, 'forks'> {
  /** Never written, or deleted. */
  readonly isVacant: boolean
  /** In the format of core/store/operation-ids.ts. */
  readonly ops: string
  /** In ms since the epoch; `null` is never. */
  readonly endsAtMs: number | null
}

/** Writes whose versions come from the other database. */
export interface Application {
  /** The version of the last write. */
  readonly version: number
  /** The token of their owner; of a deletion, the highest token that it ends. `undefined`: no owner. */
  readonly fencingToken: number | undefined
  readonly operations: readonly AppliedOperation[]
  /** What they store: some fields, all of a session that begins with them, or its end. */
  readonly kind: 'fields' | 'session' | 'deletion'
  /** Set if the first operation is a heal; see `Commit`. */
  readonly fork?: Commit['fork']
  /** The session's history in the other database. Default: it follows from the operations. */
  readonly history?: StoredHistory | undefined
  readonly lifeMs?: LifeMs | undefined
  /** The life of the session counts from now, by this database's clock. Default `false`: from the last operation. */
  readonly livesFromNow?: boolean | undefined
  /** Refuse them with `FencedError` if a later owner has the session. Their writer may be the only one to have them. */
  readonly isOwn?: boolean | undefined
}

/** The head after an application. */
export interface Applied {
  readonly version: number
  /** Higher than the token of the writes if a later owner has the session. */
  readonly fence: number
  /** I11: a later owner has barred their owner, so nothing was written. */
  readonly isBarred: boolean
  /**
   * Only some of the writes are late: nothing was written. They must be applied one by one, so that each late one is
   * known as such.
   */
  readonly mustSplit: boolean
  /** A later write was applied before, of this history of the session or of another one. */
  readonly isLate: boolean
  /**
   * The late operations that the session lacked when they came. Not those of an earlier life of it, nor those that it may
   * have had and forgotten.
   */
  readonly missing: readonly string[]
  /** The fields belong to no session: the database has lost it. */
  readonly isPart: boolean
  /** If `isLate`: the operation of the highest version applied before, if the head remembers it. */
  readonly newest: AppliedOperation | undefined
  /** The operations that the head remembered before, in the format of core/store/operation-ids.ts. */
  readonly ops: string
}

export interface DurableBackend extends Backend {
  readonly link: ServerLink
  read(
    sessionId: string,
    fields: readonly Field[],
    fencingToken?: number,
  ): Promise<WithDurableHead<ReadResult>>
  readAll(sessionId: string): Promise<WithDurableHead<SnapshotResult>>
  readHistory(sessionId: string, fields: readonly Field[]): Promise<WithDurableHead<HistoryResult>>
  summarize(sessionId: string): Promise<WithDurableHead<Summary>>
  readWhole(sessionId: string): Promise<WholeSession>
  commit(sessionId: string, commit: DurableCommit): Promise<CommitResult>
  delete(sessionId: string, deletion: DurableDeletion): Promise<BackendDeletion>
  /**
   * Applies the writes, all or none. Applying them twice is the same as once (I4). Late writes do not replace newer
   * ones. Writes nothing if only some of several writes are late: see `Applied.mustSplit`.
   */
  apply(sessionId: string, application: Application, writes: readonly FieldWrite[]): Promise<Applied>
  /** Same as `claim`, with a token above `after`, which the other database has given. */
  claimAfter(sessionId: string, terms: ClaimTerms, after: number): Promise<DurableClaim>
  /** Raises the fence to a token of the other database. A higher fence stays. */
  raiseFence(sessionId: string, token: number): Promise<void>
  /** I11: from now on `apply` takes nothing from owners with lower tokens. */
  bar(sessionId: string, token: number): Promise<void>
  /** The highest version among the fields of a session, with or without a head; 0: there are no fields. */
  highestVersion(sessionId: string): Promise<number>
  /** Throws for writes that it could never store. Asks no server. */
  checkWrites(sessionId: string, writes: readonly FieldWrite[]): void
  findForeign(sessionId: string): Promise<string | undefined>
  /** `timeoutMs`: how long it waits for calls under way; default `CLOSE_MS` of core/calls.ts. */
  close(timeoutMs?: number): Promise<void>
}
