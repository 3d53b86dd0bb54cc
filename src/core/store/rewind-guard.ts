import { setTimeout as sleep } from 'node:timers/promises'
import type { Field, Rewind } from '../auth-store.js'
import {
  type Backend,
  type BackendDeletion,
  type CommitResult,
  CREDS_FIELD,
  type FieldWrite,
  type Guard,
  type Head,
  type HistoryResult,
} from '../backend.js'
import { FencedError, hasCode, RewoundError } from '../errors.js'
import type { Logger } from '../logger.js'
import { maskSessionId } from '../masking.js'
import type { Call } from '../retry.js'
import type { Copier } from './copier.js'
import { endedToken } from './guard.js'
import { type Heal, type HeldDeletion, planHeal } from './heal-plan.js'
import { continuesFrom, type KnownHistory, NO_HEAD } from './histories.js'
import { LostInPartError } from './lost-in-part.js'
import type { Operations } from './operations.js'
import type { SessionMemory } from './session-memory.js'

/** Most heals in one call. A store that goes back more often meanwhile is given up. */
const MAX_HEALS = 8
/** Most readings of a history in a row that other processes' writes overtake before this process can heal it. */
const MAX_ATTEMPTS = 100
/** The longest pause after a heal that another process's write has overtaken. */
const MAX_PAUSE_MS = 50

type Seen = Required<Pick<Guard, 'seenVersion' | 'seenIncarnation' | 'seenOperation' | 'seenOwn'>>

export interface RewindGuardParts {
  backend: Backend
  memory: SessionMemory
  operations: Operations
  copier: Copier
  logger: Logger
}

/**
 * Keeps a process from reading a state older than one it has read or written (monotonic reads, read your writes). A
 * store can go back when a backup is restored under it, or a lagging replica is promoted. The first process that
 * notices begins another incarnation of the session. Each process writes what it still holds of its own lost writes,
 * and reports the rest.
 */
export class RewindGuard {
  readonly memory: SessionMemory
  readonly #backend: Backend
  readonly #operations: Operations
  readonly #copier: Copier
  readonly #logger: Logger
  readonly #listeners = new Set<(rewind: Rewind) => void>()
  readonly #reconciling = new Map<string, Promise<FencedError | undefined>>()

  constructor({ backend, memory, operations, copier, logger }: RewindGuardParts) {
    this.memory = memory
    this.#backend = backend
    this.#operations = operations
    this.#copier = copier
    this.#logger = logger
  }

  /**
   * `token`: the reading owner's. Throws `FENCED` if the owner has lost writes and must not write them again, because a
   * later owner has the session. The owner would otherwise go on from an older state than it knows.
   */
  async read<T extends { head: Head }>(
    operation: string,
    sessionId: string,
    action: (call: Call) => Promise<T>,
    token?: number,
  ): Promise<T> {
    for (let heals = 0; ; heals++) {
      // Taken before the call: a write that ends during the call may be missing in its answer.
      const known = this.memory.history(sessionId)
      let result: T | undefined
      try {
        result = await this.#operations.run(operation, sessionId, action)
      } catch (error) {
        if (!isLost(error, known)) throw error
      }
      if (result && (continuesFrom(known, result.head) || this.#isOwn(known, result.head))) {
        this.memory.noteHead(sessionId, result.head)
        return result
      }
      const foundVersion = result?.head.version ?? 0
      if (heals === MAX_HEALS) throw new RewoundError(known.version, foundVersion, { sessionId })
      const refusal = await this.#reconcile(sessionId, known, foundVersion)
      if (refusal && token !== undefined) throw refusal
    }
  }

  /** `fields`: see `Operations.run`. */
  async write<T>(
    operation: string,
    sessionId: string,
    action: (seen: Seen, call: Call) => Promise<T>,
    fields?: number,
  ): Promise<T> {
    for (let heals = 0; ; heals++) {
      const known = this.memory.history(sessionId)
      const seen = {
        seenVersion: known.version,
        seenIncarnation: known.incarnation,
        seenOperation: known.operation,
        seenOwn: known.own,
      }
      try {
        return await this.#operations.run(operation, sessionId, call => action(seen, call), fields)
      } catch (error) {
        const isBehind = error instanceof RewoundError
        if (heals === MAX_HEALS || !(isBehind || isLost(error, known))) throw error
        await this.#reconcile(sessionId, known, isBehind ? error.found : 0)
      }
    }
  }

  noteCommit(
    sessionId: string,
    result: CommitResult,
    writes: readonly FieldWrite[],
    token: number | undefined,
  ): void {
    // After a write above another history, the next call compares the two.
    if (result.isAbove) this.memory.noteVersion(sessionId, result.version)
    else this.memory.noteOwn(sessionId, { ...result, exists: true })
    this.memory.noteWrites(sessionId, result.version, writes, { operation: result.operation, token })
  }

  onRewind(listener: (rewind: Rewind) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Of concurrent calls that find another history than the known one, the first reconciles the two. The result is the
   * reason why this process may not write its lost writes again.
   */
  #reconcile(sessionId: string, known: KnownHistory, foundVersion: number): Promise<FencedError | undefined> {
    const underWay = this.#reconciling.get(sessionId)
    if (underWay) return underWay
    const { incarnation, version } = this.memory.history(sessionId)
    // another call has done it
    if (incarnation !== known.incarnation || version > known.version) return Promise.resolve(undefined)
    const reconciled = this.#followUntilDone(sessionId, known, foundVersion).finally(() =>
      this.#reconciling.delete(sessionId),
    )
    this.#reconciling.set(sessionId, reconciled)
    return reconciled
  }

  async #followUntilDone(
    sessionId: string,
    known: KnownHistory,
    foundVersion: number,
  ): Promise<FencedError | undefined> {
    for (let attempts = 1; ; attempts++) {
      const followed = await this.#follow(sessionId, known, foundVersion)
      if (followed !== 'overtaken') return followed
      if (attempts === MAX_ATTEMPTS) throw new RewoundError(known.version, foundVersion, { sessionId })
      await sleep(Math.random() * Math.min(attempts, MAX_PAUSE_MS))
    }
  }

  /** `overtaken`: another process has written to the session meanwhile. */
  async #follow(
    sessionId: string,
    known: KnownHistory,
    foundVersion: number,
  ): Promise<'overtaken' | FencedError | undefined> {
    const held = this.memory.writesAfter(sessionId, 0)
    const deletion = this.memory.deletion(sessionId)
    const fields = [...held.map(({ write }) => write), CREDS_FIELD]
    const found = await this.#operations
      .run('heal', sessionId, () => this.#backend.readHistory(sessionId, fields))
      .catch(error => {
        if (!isLost(error, known)) throw error
        return toNothing(fields)
      })
    const fence = this.memory.fence(sessionId)
    const { at, heal, isOther, refused } = planHeal({ known, found, foundVersion, held, deletion, fence })
    const outcome = heal && (await this.#heal(sessionId, known, found, heal))
    if (outcome === 'overtaken') return outcome
    const left = refused === undefined ? undefined : new FencedError(refused, found.head.fence, { sessionId })
    // A process that has deleted the session owns it no more: it goes on with the one that another owner has opened.
    const refusal = outcome instanceof Error && heal?.deletion === undefined ? outcome : left
    const healed = outcome instanceof Error ? undefined : outcome
    const { incarnation, version, operation, updatedAtMs, exists } = healed ?? found.head
    const forks = healed?.forks ?? found.forks
    this.memory.adopt(sessionId, { incarnation, version, operation, updatedAtMs, exists, forks })
    if (at === undefined) return refusal
    this.memory.dropWrites(
      sessionId,
      held.filter(write => isOther || write.version > at),
    )
    const writes = healed && heal ? heal.writes : []
    for (const write of writes) {
      this.memory.noteWrites(sessionId, version, [write], { operation, token: write.token })
    }
    this.#report({
      sessionId,
      seenVersion: known.version,
      foundVersion: at,
      rewrittenFields: writes.length,
    })
    return refusal
  }

  /**
   * Heals with the highest known token, so that the heal lets no refused owner back in. An error: a later owner has the
   * session, so none of the earlier writes are written to it.
   */
  async #heal(
    sessionId: string,
    known: KnownHistory,
    found: HistoryResult,
    heal: Heal,
  ): Promise<KnownHistory | 'overtaken' | FencedError> {
    try {
      if (heal.deletion === undefined) return await this.#rewrite(sessionId, known, found, heal)
      const { copy } = heal.deletion
      const deleted = await this.#deleteAgain(sessionId, found, heal.deletion)
      const { version, operation, deletedAtMs } = deleted
      const head = { ...found.head, version, operation, updatedAtMs: deletedAtMs, exists: false }
      if (heal.writes.length > 0) {
        // The memory keeps the writes that came after the deletion until they are written.
        this.memory.holdDeletion(sessionId, { ...deleted, copy })
        return await this.#rewrite(sessionId, known, { ...found, head }, heal)
      }
      this.memory.noteDeletion(sessionId, deleted, copy)
      return { ...head, forks: found.forks }
    } catch (error) {
      if (hasCode(error, 'VERSION_MISMATCH')) return 'overtaken'
      if (hasCode(error, 'FENCED')) return error as FencedError
      throw error
    }
  }

  async #rewrite(
    sessionId: string,
    known: KnownHistory,
    { head, forks }: HistoryResult,
    { writes, fork }: Heal,
  ): Promise<KnownHistory> {
    const token = this.memory.fence(sessionId)
    const commit = {
      writes,
      fork,
      operationId: this.memory.operationIds.next(),
      fencingToken: token === 0 ? undefined : token,
      expectedVersion: head.exists ? head.version : 0,
      above: known.version,
    }
    const { version, incarnation, operation, updatedAtMs } = await this.#operations.run(
      'heal',
      sessionId,
      call => this.#backend.commit(sessionId, { ...commit, call }),
    )
    const allForks = fork ? [{ ...fork, to: version }, ...forks] : forks
    return { version, incarnation, operation, updatedAtMs, exists: true, forks: allForks }
  }

  #deleteAgain(sessionId: string, { head }: HistoryResult, held: HeldDeletion): Promise<BackendDeletion> {
    const { version, fence, deletedAtMs } = held
    const operationId = this.memory.operationIds.next()
    const deletion = {
      fencingToken: endedToken(fence),
      expectedVersion: head.exists ? head.version : 0,
      operationId,
      above: version - 1, // the same version, so that what began after it still comes after it
      deletedAtMs,
    }
    const remove = () =>
      this.#operations.run('heal', sessionId, call => this.#backend.delete(sessionId, { ...deletion, call }))
    return this.#copier.repeat(sessionId, { head, held, operationId }, remove)
  }

  /** Whether a write of this process took the later version: its guard has compared the history before it. */
  #isOwn(known: KnownHistory, head: Head): boolean {
    return head.incarnation === known.incarnation && this.memory.isOwnAfter(known, head)
  }

  #report(rewind: Rewind): void {
    this.#logger.error(
      { ...rewind, sessionId: maskSessionId(rewind.sessionId) },
      'the store went back in time',
    )
    for (const listener of this.#listeners) listener(rewind)
  }
}

/** Whether the database has lost what this process knows, and has a part that was written since. */
function isLost(error: unknown, known: KnownHistory): boolean {
  return error instanceof LostInPartError && known.version > 0
}

/** The history of a session that the database has never heard of. */
function toNothing(fields: readonly Field[]): HistoryResult {
  return { head: NO_HEAD, isDeleted: false, forks: [], versions: fields.map(() => 0) }
}
