import type { Registry } from 'prom-client'
import type { Codec } from './codec.js'
import { ClosedError, InvalidOptionError, SessionIncompleteError } from './errors.js'
import { toLifeMs } from './life.js'
import type { Logger } from './logger.js'
import type { Gauges } from './metrics.js'
import { checkKeyId, checkKeyType, checkSessionId } from './names.js'
import { NO_OBSERVER, type Observer } from './observer.js'
import { OperationIds } from './operation-ids.js'
import { countBytes, decodeSnapshot, encodePatch } from './patch.js'
import { type RetryPolicy, withRetry } from './retry.js'
import { RewindGuard } from './rewind-guard.js'
import { SessionMemory } from './session-memory.js'
import { settleEach } from './settle-each.js'
import {
  APP_STATE_TYPE,
  type AuthPatch,
  type AuthSnapshot,
  type AuthStore,
  type Backend,
  type BatchResult,
  type Claim,
  type ClaimOptions,
  CREDS_FIELD,
  type Field,
  type Head,
  type ListOptions,
  type Rewind,
  type SessionPage,
  type SessionUpdate,
  type StoredCreds,
  type Versioned,
  type VersionedResult,
} from './store.js'

const DEFAULT_PAGE_SIZE = 100
const MAX_PAGE_SIZE = 1000

export interface StoreParts {
  backend: Backend
  codec: Codec
  retry: RetryPolicy
  ttlMs: number | null
  /** How long an exclusive lease lasts without being renewed. */
  leaseMs: number
  logger: Logger
  /** Shared by the stores of one connection; by default the store's own. */
  memory?: SessionMemory
  /** By default nothing is observed. */
  observer?: Observer
}

/** The one `AuthStore`: checks names, encodes, calls the backend, decodes, and notices a store that rewinds. */
export class CodecStore implements AuthStore {
  readonly ttlSeconds: number | null
  readonly leaseSeconds: number
  readonly logger: Logger
  readonly gauges: Gauges
  readonly #backend: Backend
  readonly #codec: Codec
  readonly #retry: RetryPolicy
  readonly #observer: Observer
  readonly #ttlMs: number | null
  readonly #rewinds: RewindGuard
  readonly #operationIds = new OperationIds()
  #isClosed = false

  constructor(parts: StoreParts) {
    const { backend, codec, retry, ttlMs, leaseMs, logger } = parts
    const { memory = new SessionMemory(), observer = NO_OBSERVER } = parts
    this.#observer = observer
    this.gauges = observer.metrics
    this.leaseSeconds = leaseMs / 1000
    this.#backend = backend
    this.#codec = codec
    this.#retry = retry
    this.#ttlMs = ttlMs
    this.logger = logger
    this.#rewinds = new RewindGuard(backend, memory, (...call) => this.#run(...call), logger)
    this.#rewinds.onRewind(() => observer.metrics.count('rewinds'))
    this.ttlSeconds = ttlMs === null ? null : ttlMs / 1000
  }

  async get(sessionId: string): Promise<Versioned<AuthSnapshot> | null> {
    checkSessionId(sessionId)
    const { head, fields } = await this.#rewinds.read('get', sessionId, () =>
      this.#backend.readAll(sessionId),
    )
    if (!head.exists) return null
    this.#observer.metrics.count('read_bytes', countBytes(fields.map(field => field.bytes)))
    const data = decodeSnapshot(this.#codec, sessionId, fields)
    if (data === undefined) throw new SessionIncompleteError({ sessionId })
    return { data, version: head.version, updatedAt: new Date(head.updatedAtMs) }
  }

  async getKeys(sessionId: string, type: string, ids: readonly string[]): Promise<Record<string, unknown>> {
    checkSessionId(sessionId)
    checkKeyType(type, sessionId)
    for (const id of ids) checkKeyId(id, type, sessionId)
    if (ids.length === 0) return {}
    const fields = ids.map(id => ({ type, id }))
    const { values } = await this.#rewinds.read('getKeys', sessionId, () =>
      this.#backend.read(sessionId, fields),
    )
    this.#observer.metrics.count('read_bytes', countBytes(values))
    const found: [string, unknown][] = []
    for (const [i, id] of ids.entries()) {
      const bytes = values[i]
      if (bytes !== undefined) found.push([id, this.#codec.decode({ sessionId, type, id }, bytes)])
    }
    return Object.fromEntries(found)
  }

  async set(
    sessionId: string,
    patch: AuthPatch,
    expectedVersion?: number,
    fencingToken?: number,
  ): Promise<VersionedResult> {
    checkSessionId(sessionId)
    checkConditions(sessionId, expectedVersion, fencingToken)
    const writes = encodePatch(this.#codec, sessionId, patch)
    const operationId = this.#operationIds.next()
    const commit = { writes, operationId, expectedVersion, fencingToken }
    const result = await this.#rewinds.write('set', sessionId, (seenVersion, signal) =>
      this.#backend.commit(sessionId, { ...commit, seenVersion, signal }),
    )
    this.#rewinds.noteCommit(sessionId, result, writes)
    this.#observer.metrics.count('written_bytes', countBytes(writes.map(field => field.bytes)))
    const { version, updatedAtMs, durability } = result
    return { version, updatedAt: new Date(updatedAtMs), success: true, durability }
  }

  async delete(sessionId: string, expectedVersion?: number, fencingToken?: number): Promise<void> {
    checkSessionId(sessionId)
    checkConditions(sessionId, expectedVersion, fencingToken)
    const operationId = this.#operationIds.next()
    const deletion = { operationId, expectedVersion, fencingToken }
    await this.#rewinds.write('delete', sessionId, (seenVersion, signal) =>
      this.#backend.delete(sessionId, { ...deletion, seenVersion, signal }),
    )
    this.#rewinds.memory.forgetWrites(sessionId)
  }

  async touch(sessionId: string, ttlSeconds?: number): Promise<void> {
    checkSessionId(sessionId)
    if (ttlSeconds !== undefined) checkTtl(ttlSeconds)
    const ttlMs = ttlSeconds === undefined ? this.#ttlMs : toLifeMs(ttlSeconds)
    await this.#run('touch', sessionId, () => this.#backend.touch(sessionId, ttlMs))
  }

  async exists(sessionId: string): Promise<boolean> {
    checkSessionId(sessionId)
    const { head } = await this.#rewinds.read('exists', sessionId, () => this.#backend.read(sessionId, []))
    return head.exists
  }

  async list({ limit = DEFAULT_PAGE_SIZE, cursor }: ListOptions = {}): Promise<SessionPage> {
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE_SIZE) {
      throw new InvalidOptionError(`"limit" must be a whole number from 1 to ${MAX_PAGE_SIZE}, got ${limit}`)
    }
    return this.#run('list', undefined, () => this.#backend.list(limit, cursor))
  }

  async *sessions(): AsyncIterable<string> {
    let cursor: string | null | undefined
    while (cursor !== null) {
      const page: SessionPage = await this.list(cursor === undefined ? {} : { cursor })
      yield* page.sessionIds
      cursor = page.cursor
    }
  }

  async listKeys(sessionId: string, type?: string): Promise<Field[]> {
    checkSessionId(sessionId)
    if (type !== undefined) checkKeyType(type, sessionId)
    const fields = await this.#run('listKeys', sessionId, () => this.#backend.listFields(sessionId, type))
    return fields.filter(field => field.type !== CREDS_FIELD.type && field.type !== APP_STATE_TYPE)
  }

  batchGet(sessionIds: readonly string[]): Promise<BatchResult<Versioned<AuthSnapshot> | null>[]> {
    return settleEach(
      sessionIds,
      sessionId => sessionId,
      sessionId => this.get(sessionId),
    )
  }

  batchSet(updates: readonly SessionUpdate[]): Promise<BatchResult<VersionedResult>[]> {
    return settleEach(
      updates,
      update => update.sessionId,
      update => this.set(update.sessionId, update.patch, update.expectedVersion, update.fencingToken),
    )
  }

  batchDelete(sessionIds: readonly string[]): Promise<BatchResult<void>[]> {
    return settleEach(
      sessionIds,
      sessionId => sessionId,
      sessionId => this.delete(sessionId),
    )
  }

  async claim(sessionId: string, { exclusive = false }: ClaimOptions = {}): Promise<Claim> {
    checkSessionId(sessionId)
    // First without taking anything: an opener that cannot read the creds must not cost the owner its session.
    const before = await this.#rewinds.read('readCreds', sessionId, () =>
      this.#backend.read(sessionId, [CREDS_FIELD]),
    )
    this.#decodeCreds(sessionId, before.head, before.values[0])
    const { head, creds, fencingToken } = await this.#rewinds.read('claim', sessionId, () =>
      this.#backend.claim(sessionId, exclusive ? this.leaseSeconds * 1000 : undefined),
    )
    this.#rewinds.memory.noteToken(sessionId, fencingToken)
    return { fencingToken, version: head.version, creds: this.#decodeCreds(sessionId, head, creds) }
  }

  async renewLease(sessionId: string, fencingToken: number): Promise<void> {
    checkSessionId(sessionId)
    await this.#run('renewLease', sessionId, () =>
      this.#backend.lease(sessionId, fencingToken, this.leaseSeconds * 1000),
    )
  }

  async releaseLease(sessionId: string, fencingToken: number): Promise<void> {
    checkSessionId(sessionId)
    await this.#run('releaseLease', sessionId, () => this.#backend.lease(sessionId, fencingToken, null))
  }

  onRewind(listener: (rewind: Rewind) => void): () => void {
    return this.#rewinds.onRewind(listener)
  }

  /** In Prometheus' text format; empty where `observability.enableMetrics` is `false`. */
  async getMetricsText(): Promise<string> {
    return (await this.#observer.metrics.registry?.metrics()) ?? ''
  }

  /** Throws `INVALID_OPTION` where `observability.enableMetrics` is `false`. */
  getMetricsRegistry(): Registry {
    const { registry } = this.#observer.metrics
    if (registry) return registry
    throw new InvalidOptionError('There are no metrics: "observability.enableMetrics" is false.')
  }

  async isHealthy(): Promise<boolean> {
    return !this.#isClosed && (await this.#backend.isHealthy())
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    await this.#backend.close()
  }

  #decodeCreds(sessionId: string, head: Head, bytes: Uint8Array | undefined): StoredCreds | null {
    if (!head.exists) return null
    if (bytes === undefined) throw new SessionIncompleteError({ sessionId })
    this.#observer.metrics.count('read_bytes', bytes.length)
    return this.#codec.decode({ sessionId, ...CREDS_FIELD }, bytes) as StoredCreds
  }

  #run<T>(
    operation: string,
    sessionId: string | undefined,
    action: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (this.#isClosed) throw new ClosedError('The store', { sessionId })
    return this.#observer.run(operation, sessionId, () =>
      withRetry(this.#retry, { operation, sessionId }, action),
    )
  }
}

function checkConditions(sessionId: string, expectedVersion: unknown, fencingToken: unknown): void {
  for (const [name, value] of Object.entries({ expectedVersion, fencingToken })) {
    if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)) continue
    throw new InvalidOptionError(`"${name}" must be a whole number of 0 or more, got ${String(value)}`, {
      sessionId,
    })
  }
}

function checkTtl(ttlSeconds: number): void {
  if (ttlSeconds >= 0) return
  throw new InvalidOptionError(
    `"ttlSeconds" must be a number of seconds, 0 or Infinity, got ${String(ttlSeconds)}`,
  )
}
