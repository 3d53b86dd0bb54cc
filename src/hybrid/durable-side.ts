import type { Field, SessionPage } from '../core/auth-store.js'
import type {
  BackendClaim,
  BackendDeletion,
  ClaimTerms,
  CommitResult,
  FieldWrite,
  HistoryResult,
  ReadResult,
  SnapshotResult,
  Summary,
} from '../core/backend.js'
import type {
  Application,
  Applied,
  DurableBackend,
  DurableClaim,
  DurableCommit,
  DurableDeletion,
  DurableHead,
  WholeSession,
  WithDurableHead,
} from '../core/durable-backend.js'
import type { ServerLink } from '../core/server-link.js'
import { type Breaker, LOADING_MS } from './breaker/breaker.js'

/** A change of more writes than this may take as long as loading a session. */
const MANY_WRITES = 1000

/** The durable side of the hybrid store: every call to it goes through the circuit breaker. */
export class DurableSide {
  readonly breaker: Breaker
  readonly #backend: DurableBackend

  constructor(backend: DurableBackend, breaker: Breaker) {
    this.#backend = backend
    this.breaker = breaker
  }

  read(
    sessionId: string,
    fields: readonly Field[],
    fencingToken?: number,
  ): Promise<WithDurableHead<ReadResult>> {
    return this.breaker.run(() => this.#backend.read(sessionId, fields, fencingToken))
  }

  readHistory(sessionId: string, fields: readonly Field[]): Promise<WithDurableHead<HistoryResult>> {
    return this.breaker.run(() => this.#backend.readHistory(sessionId, fields), LOADING_MS)
  }

  summarize(sessionId: string): Promise<WithDurableHead<Summary>> {
    return this.breaker.run(() => this.#backend.summarize(sessionId))
  }

  async readHead(sessionId: string): Promise<DurableHead> {
    return (await this.breaker.run(() => this.#backend.read(sessionId, []))).head
  }

  readAll(sessionId: string): Promise<WithDurableHead<SnapshotResult>> {
    return this.breaker.run(() => this.#backend.readAll(sessionId), LOADING_MS)
  }

  readWhole(sessionId: string): Promise<WholeSession> {
    return this.breaker.run(() => this.#backend.readWhole(sessionId), LOADING_MS)
  }

  listFields(sessionId: string, type: string | undefined, fencingToken?: number): Promise<Field[]> {
    return this.breaker.run(() => this.#backend.listFields(sessionId, type, fencingToken), LOADING_MS)
  }

  list(limit: number, cursor: string | undefined): Promise<SessionPage> {
    return this.breaker.run(() => this.#backend.list(limit, cursor))
  }

  commit(sessionId: string, commit: DurableCommit): Promise<CommitResult> {
    return this.breaker.run(() => this.#backend.commit(sessionId, commit), timeFor(commit.writes))
  }

  apply(sessionId: string, application: Application, writes: readonly FieldWrite[]): Promise<Applied> {
    return this.breaker.run(() => this.#backend.apply(sessionId, application, writes), timeFor(writes))
  }

  delete(sessionId: string, deletion: DurableDeletion): Promise<BackendDeletion> {
    return this.breaker.run(() => this.#backend.delete(sessionId, deletion))
  }

  highestVersion(sessionId: string): Promise<number> {
    return this.breaker.run(() => this.#backend.highestVersion(sessionId))
  }

  claim(sessionId: string, terms: ClaimTerms): Promise<BackendClaim> {
    return this.breaker.run(() => this.#backend.claim(sessionId, terms))
  }

  /** The token is above `after`, one that Redis has handed out. */
  claimAfter(sessionId: string, terms: ClaimTerms, after: number): Promise<DurableClaim> {
    return this.breaker.run(() => this.#backend.claimAfter(sessionId, terms, after))
  }

  raiseFence(sessionId: string, token: number): Promise<void> {
    return this.breaker.run(() => this.#backend.raiseFence(sessionId, token))
  }

  bar(sessionId: string, token: number): Promise<void> {
    return this.breaker.run(() => this.#backend.bar(sessionId, token))
  }

  lease(sessionId: string, fencingToken: number, leaseMs: number | null): Promise<void> {
    return this.breaker.run(() => this.#backend.lease(sessionId, fencingToken, leaseMs))
  }

  touch(sessionId: string, ttlMs: number | null): Promise<void> {
    return this.breaker.run(() => this.#backend.touch(sessionId, ttlMs))
  }

  /** Throws for writes that the durable store could never store. Asks no server. */
  checkWrites(sessionId: string, writes: readonly FieldWrite[]): void {
    this.#backend.checkWrites(sessionId, writes)
  }

  get link(): ServerLink {
    return this.#backend.link
  }

  findEnd(sessionId: string): Promise<number | undefined> {
    return this.breaker.run(() => this.#backend.findEnd(sessionId))
  }

  findForeign(sessionId: string): Promise<string | undefined> {
    return this.breaker.run(() => this.#backend.findForeign(sessionId))
  }

  /**
   * For a session that no other database can answer for: if the breaker is open, lets one call try at once, which closes
   * the breaker if the store is back. Throws `STORE_UNAVAILABLE` if it is not.
   */
  async insist(sessionId: string): Promise<void> {
    if (this.breaker.isOpen) await this.breaker.insist(() => this.#backend.read(sessionId, []))
  }

  /** Asks the server even while the breaker is open. */
  isHealthy(): Promise<boolean> {
    return this.#backend.isHealthy()
  }

  async close(timeoutMs?: number): Promise<void> {
    await this.#backend.close(timeoutMs)
    this.breaker.close()
  }
}

/** `undefined`: the time of any call. */
function timeFor(writes: readonly FieldWrite[]): number | undefined {
  return writes.length > MANY_WRITES ? LOADING_MS : undefined
}
