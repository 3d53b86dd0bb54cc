import { LRUCache } from 'lru-cache'
import type { BackendDeletion, FieldWrite, Head, OwnStep } from '../backend.js'
import { lruByCount } from '../lru-by-count.js'
import type { CopyPolicy, HeldDeletion, HeldWrite } from './heal-plan.js'
import { HighestVersions } from './highest-versions.js'
import { type KnownHistory, MAX_FORKS, type SeenHistory } from './histories.js'
import { OperationIds } from './operation-ids.js'
import { OwnerCache } from './owner-cache.js'
import { RecentWrites } from './recent-writes.js'

/** Most sessions whose token is remembered. */
const MAX_SESSIONS = 50_000
/** A store keeps an expired session, or its tombstone, at least this long. */
const UNSEEN_MS = 24 * 60 * 60 * 1000

const NO_FORKS: KnownHistory['forks'] = []
const NOTHING: KnownHistory = {
  incarnation: '',
  version: 0,
  operation: '',
  updatedAtMs: 0,
  exists: false,
  forks: NO_FORKS,
}

/**
 * What this process knows of the sessions in a database, in case it goes back in time: each session's history with the
 * highest version seen, the highest fencing token, and the last writes in encoded form. The two limits above bound it,
 * not the number of sessions. For sessions that it owns, the process also keeps what it has read and written.
 */
export class SessionMemory {
  /** Shared by all stores over this memory. */
  readonly operationIds = new OperationIds()
  readonly #histories: LRUCache<string, KnownHistory>
  readonly #fences = new HighestVersions()
  readonly #tokens = new LRUCache<string, number>(lruByCount(MAX_SESSIONS))
  /** 0: a history never expires. */
  #unseenMs = 0
  readonly #deletions = new LRUCache<string, HeldDeletion>(lruByCount(MAX_SESSIONS))
  readonly #writes = new RecentWrites()
  /**
   * The versions seen in Redis, if it stands before MongoDB. MongoDB must have them before its answers are believed.
   */
  readonly hotVersions = new HighestVersions()
  /** `undefined` until a store asks for a cache. */
  cache: OwnerCache | undefined

  constructor(clock: { now(): number } = performance) {
    this.#histories = new LRUCache({
      ...lruByCount(MAX_SESSIONS),
      perf: clock,
      ttlResolution: 0, // otherwise it sets a timer at each read
      updateAgeOnGet: true,
      dispose: (_, sessionId, reason) => {
        if (reason === 'expire') this.#forgetChanges(sessionId)
      },
    })
  }

  /** The first store that asks decides the size. */
  keepCache(maxBytes: number): void {
    this.cache ??= new OwnerCache(maxBytes)
  }

  /**
   * Call this if sessions may expire. The memory then forgets a session that this process has not used for UNSEEN_MS:
   * such a session may have expired, and is not lost.
   */
  expectExpiry(): void {
    this.#unseenMs = UNSEEN_MS
  }

  /** Returns the same object until something newer is known. */
  history(sessionId: string): KnownHistory {
    return this.#histories.get(sessionId) ?? NOTHING
  }

  seenVersion(sessionId: string): number {
    return this.history(sessionId).version
  }

  /** Whether a write of this process took the version found, later than the known one. */
  isOwnAfter(known: KnownHistory, { version, operation }: Head): boolean {
    return version > known.version && this.operationIds.isOwn(operation)
  }

  noteVersion(sessionId: string, version: number): void {
    const { exists, updatedAtMs } = this.history(sessionId)
    this.noteHistory(sessionId, { version, incarnation: '', operation: '', updatedAtMs, exists })
  }

  /** Notes more of the known history. `adopt` takes over another one. */
  noteHistory(sessionId: string, seen: SeenHistory): void {
    const { version, incarnation, operation, updatedAtMs, exists } = seen
    const known = this.history(sessionId)
    if (incarnation !== '' && known.incarnation !== '' && incarnation !== known.incarnation) return
    const tellsMore =
      known.incarnation === '' ? incarnation !== '' : known.operation === '' && operation !== ''
    const isNews = tellsMore || exists !== known.exists
    if (version > known.version || (version === known.version && isNews)) {
      const isOwn = this.operationIds.isOwn(operation)
      this.#remember(sessionId, {
        version,
        incarnation: incarnation || known.incarnation,
        operation: version > known.version ? operation : operation || known.operation,
        own: isOwn ? undefined : this.#ownStep(known),
        updatedAtMs: Math.max(known.updatedAtMs, updatedAtMs),
        exists,
        forks: known.forks,
      })
    }
    this.cache?.of(sessionId)?.notice(version)
  }

  noteHead(sessionId: string, head: Head): void {
    this.noteHistory(sessionId, head)
    this.#fences.note(sessionId, head.fence)
  }

  /**
   * Notes the result of a write of this process. If the write began another incarnation, that one continues the known
   * history.
   */
  noteOwn(sessionId: string, seen: SeenHistory): void {
    const known = this.history(sessionId)
    const { version, incarnation, operation } = seen
    if (incarnation !== '' && incarnation === operation) this.#forgetEarlierLives(sessionId, version)
    const begins = known.incarnation !== '' && incarnation !== '' && incarnation !== known.incarnation
    if (!begins || version <= known.version) {
      this.noteHistory(sessionId, seen)
      return
    }
    const fork = { from: known.incarnation, at: version - 1, to: version }
    this.adopt(sessionId, { ...seen, forks: [fork, ...known.forks].slice(0, MAX_FORKS) })
  }

  /** A session has begun with this version. Its next writes may have been answered before. */
  #forgetEarlierLives(sessionId: string, version: number): void {
    const earlier = this.writesAfter(sessionId, 0).filter(write => write.version < version)
    if (earlier.length > 0) this.dropWrites(sessionId, earlier)
  }

  /** Replaces the known history. */
  adopt(sessionId: string, history: KnownHistory): void {
    this.#remember(sessionId, history)
    this.cache?.of(sessionId)?.reset(history.version)
  }

  /**
   * `operation`: the one that wrote them, if the store keeps the operation of each version. `token`: that of the owner
   * who wrote them.
   */
  noteWrites(
    sessionId: string,
    version: number,
    writes: readonly FieldWrite[],
    { operation = '', token }: { operation?: string; token?: number | undefined } = {},
  ): void {
    this.#writes.note(sessionId, version, writes, { operation, token })
  }

  /** The writes after `version` that are still held. */
  writesAfter(sessionId: string, version: number): HeldWrite[] {
    return this.#writes.after(sessionId, version)
  }

  /** Forgets the earlier writes: no heal may repeat them. */
  noteDeletion(sessionId: string, deleted: BackendDeletion, copy: CopyPolicy): void {
    const { version, fence, operation, deletedAtMs: updatedAtMs } = deleted
    this.noteHistory(sessionId, { version, operation, incarnation: '', updatedAtMs, exists: false })
    this.#fences.note(sessionId, fence)
    this.#forgetChanges(sessionId)
    this.holdDeletion(sessionId, { ...deleted, copy })
    this.cache?.forget(sessionId)
  }

  /** Keeps the last deletion by this process. */
  holdDeletion(sessionId: string, { version, fence, operation, deletedAtMs, copy }: HeldDeletion): void {
    this.#deletions.set(sessionId, { version, fence, operation, deletedAtMs, copy })
  }

  /** The last deletion by this process. */
  deletion(sessionId: string): HeldDeletion | undefined {
    return this.#deletions.get(sessionId)
  }

  /** The last change of this process, if `known` ends with it or remembers it. */
  #ownStep({ version, operation, own }: KnownHistory): OwnStep | undefined {
    return this.operationIds.isOwn(operation) ? { version, operation } : own
  }

  #remember(sessionId: string, history: KnownHistory): void {
    this.#histories.set(sessionId, history, { ttl: this.#unseenMs })
  }

  #forgetChanges(sessionId: string): void {
    this.#deletions.delete(sessionId)
    this.#writes.forget(sessionId)
  }

  /** Forgets these writes, except where a later one to the same field is held. */
  dropWrites(sessionId: string, writes: readonly HeldWrite[]): void {
    this.#writes.drop(sessionId, writes)
  }

  /** The token of this process's last claim. */
  token(sessionId: string): number | undefined {
    return this.#tokens.get(sessionId)
  }

  noteToken(sessionId: string, token: number): void {
    this.#tokens.set(sessionId, token)
    this.#fences.note(sessionId, token)
  }

  /** The highest token known to have been handed out; 0 if none. */
  fence(sessionId: string): number {
    return this.#fences.of(sessionId)
  }

  noteFence(sessionId: string, token: number): void {
    this.#fences.note(sessionId, token)
  }
}
