/** The contract of a database behind a faster one: it applies writes whose versions the other one has given. Types only. */
import type { Field } from './auth-store.js'
import type {
  AppliedOperation,
  Backend,
  BackendClaim,
  BackendDeletion,
  Commit,
  CommitResult,
  Deletion,
  FieldWrite,
  Head,
  HistoryResult,
  ReadResult,
  SnapshotResult,
  StoredHistory,
} from './backend.js'
import type { ServerLink } from './server-link.js'

export interface DurableHead extends Head {
  /** The database had lost the session, and has only what was written since. */
  readonly isPart?: boolean | undefined
}

export type WithDurableHead<T extends { head: Head }> = Omit<T, 'head'> & { readonly head: DurableHead }

/** How far the new version lies above the last one; default 1. A large step outranks versions that nobody can ask for. */
interface Stepping {
  readonly step?: number | undefined
}

export interface DurableCommit extends Commit, Stepping {}
export interface DurableDeletion extends Deletion, Stepping {}

/** All that is stored of a session, to be loaded into the other database. An expired one still has its fields. */
export interface WholeSession extends WithDurableHead<SnapshotResult>, Pick<StoredHistory, 'forks'> {
  /** Never written, or deleted. */
  readonly isVacant: boolean
  /** As core/store/operation-ids.ts writes them. */
  readonly ops: string
  /** In ms since the epoch; `null` is never. */
  readonly endsAtMs: number | null
}

/** Writes that have their versions from the other database. */
export interface Application {
  /** That of the last one. */
  readonly version: number
  /** That of their owner; 0: they have none. */
  readonly fencingToken: number
  readonly operations: readonly AppliedOperation[]
  /** What they store: some fields, all of a session that begins with them, or its end. */
  readonly kind: 'fields' | 'session' | 'deletion'
  /** Of a heal, which is the first of the operations: as of `Commit`. */
  readonly fork?: Commit['fork']
  /** The history that the session has in the other database; by default it follows from the operations. */
  readonly history?: StoredHistory | undefined
  /** Refuse them with `FencedError` when a later owner has the session: only their writer still has them. */
  readonly isOwn?: boolean | undefined
}

/** The head after an application. */
export interface Applied {
  readonly version: number
  /** Higher than the token of the writes when a later owner has the session. */
  readonly fence: number
  /** A later owner has barred their owner: nothing was written. */
  readonly isBarred: boolean
  /** A later write was here before, of this history of the session or of another one. */
  readonly isLate: boolean
  /** There was no session for these fields to be part of. */
  readonly isPart: boolean
  /** Of a late one: the operation of the highest version that was here before, if the head remembers it. */
  readonly newest: AppliedOperation | undefined
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
  readWhole(sessionId: string): Promise<WholeSession>
  commit(sessionId: string, commit: DurableCommit): Promise<CommitResult>
  delete(sessionId: string, deletion: DurableDeletion): Promise<BackendDeletion>
  /** Applies the writes, all or none. Applying them twice is applying them once; late ones lie below what is newer. */
  apply(sessionId: string, application: Application, writes: readonly FieldWrite[]): Promise<Applied>
  /** As `claim`. The token is above `after`, one that the other database has given. */
  claimAfter(sessionId: string, leaseMs: number | undefined, after: number): Promise<BackendClaim>
  /** Raises the fence to a token that the other database has given, where it is lower. */
  raiseFence(sessionId: string, token: number): Promise<void>
  /** From now on `apply` takes nothing of owners with lower tokens. */
  bar(sessionId: string, token: number): Promise<void>
  /** The highest version among the fields of a session, with or without a head; 0: there are none. */
  highestVersion(sessionId: string): Promise<number>
  /** Throws for writes that it could never store. Asks no server. */
  checkWrites(sessionId: string, writes: readonly FieldWrite[]): void
  findForeign(sessionId: string): Promise<string | undefined>
  /** `timeoutMs`: waits so long for what is under way; default `CLOSE_MS` of core/calls.ts. */
  close(timeoutMs?: number): Promise<void>
}
