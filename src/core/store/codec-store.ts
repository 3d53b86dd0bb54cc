import type { Registry } from 'prom-client'
import type {
  AuthPatch,
  AuthSnapshot,
  AuthStore,
  BatchResult,
  Claim,
  ClaimOptions,
  DeletionResult,
  Field,
  ListOptions,
  Rewind,
  SessionFilter,
  SessionInfo,
  SessionPage,
  SessionUpdate,
  StoredCreds,
  Versioned,
  VersionedResult,
} from '../auth-store.js'
import type { Backend, CommitResult } from '../backend.js'
import type { Codec } from '../codec/codec.js'
import { type FencedError, hasCode, InvalidOptionError, SessionIncompleteError } from '../errors.js'
import { secondsToMs } from '../input/options.js'
import type { Logger } from '../logger.js'
import type { Gauges } from '../metrics.js'
import { checkKeyType, checkSessionId, isKeyName } from '../names.js'
import { quietly } from '../quietly.js'
import type { RetryPolicy } from '../retry.js'
import {
  checkConditions,
  checkCursor,
  checkDuration,
  checkFlag,
  checkFunction,
  checkLimit,
  checkOwner,
  checkToken,
  checkTtl,
  readIds,
  readList,
  readMembers,
} from './arguments.js'
import { Catalogue, findOwner } from './catalogue.js'
import { Claimer } from './claimer.js'
import { Copier } from './copier.js'
import { CredsReader } from './creds-reader.js'
import { Deleter } from './deleter.js'
import { KeyReader } from './key-reader.js'
import { NO_OBSERVER, type Observer } from './observer.js'
import { Operations } from './operations.js'
import { countBytes, decodeSnapshot, encodePatch } from './patch.js'
import { RewindGuard } from './rewind-guard.js'
import { SessionMemory } from './session-memory.js'
import { settleEach } from './settle-each.js'
import { Trash } from './trash.js'

const DEFAULT_PAGE_SIZE = 100
const FILTER_MEMBERS = ['deleted', 'pairedOnly', 'ownedBy', 'idleSinceMs'] as const
const UPDATE_MEMBERS = ['sessionId', 'patch', 'expectedVersion', 'fencingToken'] as const

export interface StoreParts {
  backend: Backend
  codec: Codec
  retry: RetryPolicy
  ttlMs: number | null
  /** The life of an exclusive lease without renewal. */
  leaseMs: number
  logger: Logger
  /** Shared by the stores of one connection; default: the store's own. */
  memory?: SessionMemory
  /** How long a deleted session can be restored. `null`: for ever; 0, the default: not at all. */
  keepMs?: number | null
  /** Most bytes of the owners' cache; `null`, the default: no cache. */
  cacheBytes?: number | null
  /** Default: observes nothing. */
  observer?: Observer
}

/**
 * The only `AuthStore`: checks names, encodes, calls the backend, decodes, and notices a store that has gone back in
 * time.
 */
export class CodecStore implements AuthStore {
  readonly ttlSeconds: number | null
  readonly leaseSeconds: number
  readonly logger: Logger
  readonly gauges: Gauges
  readonly #backend: Backend
  readonly #codec: Codec
  readonly #operations: Operations
  readonly #observer: Observer
  readonly #ttlMs: number | null
  readonly #memory: SessionMemory
  readonly #keys: KeyReader
  readonly #creds: CredsReader
  readonly #claimer: Claimer
  readonly #catalogue: Catalogue
  readonly #trash: Trash
  readonly #rewinds: RewindGuard

  /** @internal */
  constructor(parts: StoreParts) {
    const { backend, codec, retry, ttlMs, leaseMs, logger } = parts
    const { memory = new SessionMemory(), keepMs = 0, cacheBytes = null, observer = NO_OBSERVER } = parts
    const { metrics } = observer
    const operations = new Operations({
      retry,
      observer,
      link: backend.link,
      findOwner: sessionId => findOwner(backend, sessionId),
    })
    const copier = new Copier({ backend, codec, operations, memory, logger, keepMs })
    const rewinds = new RewindGuard({ backend, memory, operations, copier, logger })
    rewinds.onRewind(() => metrics.count('rewinds'))
    if (ttlMs !== null) memory.expectExpiry()
    if (cacheBytes !== null) memory.keepCache(cacheBytes)
    const shared = { backend, codec, operations, rewinds, memory, metrics }
    this.#keys = new KeyReader({ ...shared, usesCache: cacheBytes !== null })
    this.#creds = new CredsReader(shared)
    this.#claimer = new Claimer({ ...shared, reader: this.#creds, leaseMs })
    this.#trash = new Trash({ ...shared, deleter: new Deleter(shared), reader: this.#creds, copier, logger })
    this.#catalogue = new Catalogue({ ...shared, trash: this.#trash })
    this.#rewinds = rewinds
    this.#operations = operations
    this.#observer = observer
    this.#backend = backend
    this.#codec = codec
    this.#memory = memory
    this.#ttlMs = ttlMs
    this.gauges = metrics
    this.logger = logger
    this.leaseSeconds = leaseMs / 1000
    this.ttlSeconds = ttlMs === null ? null : ttlMs / 1000
  }

  async get(sessionId: string): Promise<Versioned<AuthSnapshot> | null> {
    checkSessionId(sessionId)
    const read = () => this.#backend.readAll(sessionId)
    const { head, fields } = await this.#rewinds.read('get', sessionId, read, this.#memory.token(sessionId))
    if (!head.exists) return null
    this.#observer.metrics.count('read_bytes', countBytes(fields.map(field => field.bytes)))
    const data = await decodeSnapshot(this.#codec, sessionId, fields)
    if (data === undefined) throw new SessionIncompleteError({ sessionId })
    return { data, version: head.version, updatedAt: new Date(head.updatedAtMs) }
  }

  async getCreds(sessionId: string): Promise<Versioned<StoredCreds> | null> {
    checkSessionId(sessionId)
    const { head, creds } = await this.#creds.read('getCreds', sessionId, this.#memory.token(sessionId))
    return creds && { data: creds, version: head.version, updatedAt: new Date(head.updatedAtMs) }
  }

  async getKeys(
    sessionId: string,
    type: string,
    ids: readonly string[],
    fencingToken?: number,
  ): Promise<Record<string, unknown>> {
    checkSessionId(sessionId)
    checkKeyType(type, sessionId)
    const asked = readIds(ids, type, sessionId)
    checkConditions(sessionId, undefined, fencingToken, this.#memory)
    if (asked.length === 0) return {}
    this.assertOpen(sessionId)
    return this.#keys.read(sessionId, type, asked, fencingToken)
  }

  async set(
    sessionId: string,
    patch: AuthPatch,
    expectedVersion?: number,
    fencingToken?: number,
  ): Promise<VersionedResult> {
    checkSessionId(sessionId)
    checkConditions(sessionId, expectedVersion, fencingToken, this.#memory)
    const { writes, values } = encodePatch(this.#codec, sessionId, patch)
    const operationId = this.#memory.operationIds.next()
    const needsSession = patch.creds === undefined
    const commit = { writes, operationId, expectedVersion, fencingToken, needsSession }
    const cached = this.#memory.cache?.of(sessionId)
    const underWay = writes.length > 0 ? cached?.beginWrite(writes) : undefined // an empty write may take no version
    const writing = this.#rewinds.write(
      'set',
      sessionId,
      (seen, call) => this.#backend.commit(sessionId, { ...commit, ...seen, call }),
      writes.length,
    )
    const result = await writing.catch(error => {
      if (underWay) cached?.failWrite(underWay)
      throw this.#noteLoss(sessionId, fencingToken, error)
    })
    if (underWay) cached?.endWrite(underWay, result.version, values)
    this.#rewinds.noteCommit(sessionId, result, writes, fencingToken)
    this.#observer.metrics.count('written_bytes', countBytes(writes.map(field => field.bytes)))
    this.#observer.metrics.countWrites(writes)
    return toVersioned(result)
  }

  async delete(sessionId: string, expectedVersion?: number, fencingToken?: number): Promise<DeletionResult> {
    checkSessionId(sessionId)
    checkConditions(sessionId, expectedVersion, fencingToken, this.#memory)
    const { durability } = await this.#trash.delete(sessionId, { expectedVersion, fencingToken })
    return { durability }
  }

  async restore(sessionId: string): Promise<VersionedResult | null> {
    checkSessionId(sessionId)
    const result = await this.#trash.restore(sessionId)
    return result && toVersioned(result)
  }

  async purge(sessionId: string): Promise<DeletionResult> {
    checkSessionId(sessionId)
    const { durability } = await this.#trash.purge(sessionId)
    return { durability }
  }

  async touch(sessionId: string, ttlSeconds?: number): Promise<void> {
    checkSessionId(sessionId)
    if (ttlSeconds !== undefined) checkTtl(ttlSeconds)
    const ttlMs = ttlSeconds === undefined ? this.#ttlMs : secondsToMs(ttlSeconds)
    if (ttlMs !== null) this.#memory.expectExpiry()
    await this.#operations.run('touch', sessionId, () => this.#backend.touch(sessionId, ttlMs))
  }

  async exists(sessionId: string): Promise<boolean> {
    checkSessionId(sessionId)
    const read = () => this.#backend.read(sessionId, [])
    const { head } = await this.#rewinds.read('exists', sessionId, read, this.#memory.token(sessionId))
    return head.exists
  }

  async list(options: ListOptions = {}): Promise<SessionPage> {
    const { limit = DEFAULT_PAGE_SIZE, cursor } = readMembers('options', options, ['limit', 'cursor'])
    checkLimit(limit)
    checkCursor(cursor)
    return this.#catalogue.list(limit, cursor ?? undefined)
  }

  async describe(sessionId: string): Promise<SessionInfo | null> {
    checkSessionId(sessionId)
    return this.#catalogue.describe(sessionId, this.#memory.token(sessionId))
  }

  sessions(filter: SessionFilter = {}): AsyncIterable<SessionInfo> {
    const asked = readMembers('filter', filter, FILTER_MEMBERS)
    checkFlag('deleted', asked.deleted)
    checkFlag('pairedOnly', asked.pairedOnly)
    if (asked.ownedBy !== undefined) checkOwner('ownedBy', asked.ownedBy)
    if (asked.idleSinceMs !== undefined) checkDuration('idleSinceMs', asked.idleSinceMs)
    return this.#catalogue.sessions(asked)
  }

  async listKeys(sessionId: string, type?: string, fencingToken?: number): Promise<Field[]> {
    checkSessionId(sessionId)
    if (type !== undefined) checkKeyType(type, sessionId)
    checkConditions(sessionId, undefined, fencingToken, this.#memory)
    const fields = await this.#operations.run('listKeys', sessionId, () =>
      this.#backend.listFields(sessionId, type, fencingToken),
    )
    return fields.filter(isKeyName)
  }

  async batchGet(sessionIds: readonly string[]): Promise<BatchResult<Versioned<AuthSnapshot> | null>[]> {
    return settleEach(
      readList('sessionIds', sessionIds),
      sessionId => sessionId,
      sessionId => this.get(sessionId),
    )
  }

  async batchSet(updates: readonly SessionUpdate[]): Promise<BatchResult<VersionedResult>[]> {
    return settleEach(
      readList('updates', updates),
      update => update?.sessionId,
      async update => {
        const { sessionId, patch, expectedVersion, fencingToken } = readMembers(
          'update',
          update,
          UPDATE_MEMBERS,
        )
        return this.set(sessionId, patch, expectedVersion, fencingToken)
      },
    )
  }

  async batchDelete(sessionIds: readonly string[]): Promise<BatchResult<DeletionResult>[]> {
    return settleEach(
      readList('sessionIds', sessionIds),
      sessionId => sessionId,
      sessionId => this.delete(sessionId),
    )
  }

  async claim(sessionId: string, options: ClaimOptions = {}): Promise<Claim> {
    checkSessionId(sessionId)
    const asked = readMembers('options', options, ['exclusive', 'owner', 'checkCreds', 'refuseForeign'])
    checkFlag('exclusive', asked.exclusive)
    checkFlag('refuseForeign', asked.refuseForeign)
    if (asked.owner !== undefined) checkOwner('owner', asked.owner)
    if (asked.checkCreds !== undefined) checkFunction('checkCreds', asked.checkCreds)
    return this.#claimer.claim(sessionId, asked)
  }

  async renewLease(sessionId: string, fencingToken: number): Promise<void> {
    checkSessionId(sessionId)
    checkToken(sessionId, fencingToken)
    const renewing = this.#operations.run('renewLease', sessionId, () =>
      this.#backend.lease(sessionId, fencingToken, this.leaseSeconds * 1000),
    )
    await renewing.catch(error => {
      throw this.#noteLoss(sessionId, fencingToken, error)
    })
  }

  async releaseLease(sessionId: string, fencingToken: number): Promise<void> {
    checkSessionId(sessionId)
    checkToken(sessionId, fencingToken)
    this.#memory.cache?.forget(sessionId, fencingToken)
    await this.#operations.run('releaseLease', sessionId, () =>
      this.#backend.lease(sessionId, fencingToken, null),
    )
  }

  onRewind(listener: (rewind: Rewind) => void): () => void {
    checkFunction('listener', listener)
    const onError = ({ message }: Error) => this.logger.warn({ error: message }, 'a listener has thrown')
    return this.#rewinds.onRewind(rewind => quietly(() => listener(rewind), onError))
  }

  /** The metrics in Prometheus' text format; empty if `observability.enableMetrics` is `false`. */
  async getMetricsText(): Promise<string> {
    return (await this.#observer.metrics.registry?.metrics()) ?? ''
  }

  /** Throws `INVALID_OPTION` if `observability.enableMetrics` is `false`. */
  getMetricsRegistry(): Registry {
    const { registry } = this.#observer.metrics
    if (registry) return registry
    throw new InvalidOptionError('There are no metrics: "observability.enableMetrics" is false.')
  }

  /** @internal */
  get isClosed(): boolean {
    return this.#operations.isClosed
  }

  async isHealthy(): Promise<boolean> {
    return this.#operations.check('isHealthy', () => this.#backend.isHealthy())
  }

  /** @deprecated Not needed: the first call connects. */
  async connect(): Promise<void> {
    this.assertOpen()
  }

  /** @deprecated Call `close`. */
  disconnect(): Promise<void> {
    return this.close()
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    this.#operations.close()
    await this.#backend.close()
  }

  /** Forgets what was read of the session after `FENCED`: a later owner has it. */
  #noteLoss(sessionId: string, fencingToken: number | undefined, error: unknown): unknown {
    if (hasCode(error, 'FENCED')) {
      this.#memory.cache?.forget(sessionId, fencingToken)
      this.#memory.noteFence(sessionId, (error as FencedError).current ?? 0)
    }
    return error
  }

  protected assertOpen(sessionId?: string): void {
    this.#operations.assertOpen(sessionId)
  }
}

function toVersioned({ version, updatedAtMs, durability }: CommitResult): VersionedResult {
  return { version, updatedAt: new Date(updatedAtMs), success: true, durability }
}
