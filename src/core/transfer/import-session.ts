import type {
  AuthPatch,
  AuthSnapshot,
  AuthStore,
  Claim,
  Durability,
  SessionOwner,
  StoredCreds,
  VersionedResult,
} from '../auth-store.js'
import { deepBufferRevive, serialize } from '../codec/buffers.js'
import { hasCode, InvalidValueError, SessionLockedError, VersionMismatchError } from '../errors.js'
import { checkFlag, checkFunction, checkLimit, readMembers } from '../store/arguments.js'
import { checkSavable, isPaired, UNFINISHED_IMPORT } from '../store/creds-shape.js'
import { isUnfinishedImport } from '../store/session-damage.js'
import { Chunk } from './chunk.js'
import {
  isCredsRecord,
  type SessionRecord,
  type SessionSource,
  type SkippedRecord,
} from './session-source.js'

export interface ImportOptions {
  /**
   * Delete a session that exists, in favour of the imported one. If the import fails, the former one is written back; if
   * its process dies, `store.restore` brings it back. Default `false`: it is refused with `VERSION_MISMATCH`.
   */
  replace?: boolean | undefined
  /** Values that are written at once: from 1 to 1,000; default 500. */
  chunkSize?: number | undefined
  /** Called after each write, with the number of values that are stored. */
  onProgress?: ((stored: number) => void) | undefined
}

export interface ImportReport {
  sessionId: string
  /** Whether the creds name an account. */
  isPaired: boolean
  /** What is stored, by type; the bytes are those of the values as text. */
  types: Record<string, { count: number; bytes: number }>
  /** What the source could not carry. */
  skipped: SkippedRecord[]
  version: number
  durability: Durability
}

/** The label that `SESSION_LOCKED` shows to other processes. */
const OWNER = 'import'
const CHUNK_SIZE = 500
/** How often the importer renews the lease within the life of the lease. */
const RENEWALS = 3
const SHAPE = 'A source gives objects { type, id, value }, and "type" and "id" are texts.'
const PRESENT = 'Pass "replace: true" to delete that session, or import under another name.'

/**
 * Writes the session of another store into this one. Until its end, nobody else can open the session: first its lease
 * refuses others with `SESSION_LOCKED`, and if the import is cut off, they get `SESSION_INCOMPLETE`. The same import, called
 * again, then begins anew. Each value is read back and compared.
 *
 * If the source throws, or a value is none that can be stored, the import throws, and leaves no session. Throws
 * `VERSION_MISMATCH` if the session exists, `SESSION_LOCKED` if an owner holds its lease, and `INVALID_VALUE` if the source
 * has no creds that Baileys can use.
 */
export async function importSession(
  store: AuthStore,
  sessionId: string,
  source: SessionSource,
  options: ImportOptions = {},
): Promise<ImportReport> {
  const asked = readMembers('options', options, ['replace', 'chunkSize', 'onProgress'])
  const { replace = false, chunkSize = CHUNK_SIZE, onProgress } = asked
  checkLimit(chunkSize, 'chunkSize')
  checkFlag('replace', replace)
  if (onProgress !== undefined) checkFunction('onProgress', onProgress)
  const former = await makeRoom(store, sessionId, replace)
  try {
    return await importNew({ store, sessionId, chunkSize, onProgress }, source)
  } catch (error) {
    if (former !== undefined) await tidy(store, () => store.set(sessionId, former, 0))
    throw error
  }
}

async function importNew(parts: Omit<ImportParts, 'claim'>, source: SessionSource): Promise<ImportReport> {
  const { store, sessionId } = parts
  const claim = await store.claim(sessionId, { exclusive: true, owner: OWNER })
  const { fencingToken } = claim
  try {
    if (claim.creds !== null) throw toPresent(sessionId, claim.version)
    const own = new Import({ ...parts, claim })
    return await own.run(source).catch(async error => {
      await tidy(store, () => own.undo())
      throw error
    })
  } finally {
    await store.releaseLease(sessionId, fencingToken).catch(() => {}) // it ends by itself
  }
}

/** Removes what an unfinished import has left, or with `isReplaced` the session, which it returns. */
async function makeRoom(
  store: AuthStore,
  sessionId: string,
  isReplaced: boolean,
): Promise<AuthSnapshot | undefined> {
  const found = await store.describe(sessionId)
  if (found === null) return undefined
  if (found.owner?.leaseEndsAt) throw toLocked(sessionId, found.owner, found.owner.leaseEndsAt)
  const isLeftover = await store.getCreds(sessionId).then(() => false, unlessUnfinished)
  if (!isLeftover && !isReplaced) throw toPresent(sessionId, found.version)
  const former = isLeftover ? null : await store.get(sessionId)
  await store.delete(sessionId, former?.version)
  return former?.data
}

function unlessUnfinished(error: unknown): true {
  if (isUnfinishedImport(error)) return true
  throw error
}

/** What comes after an import that has failed: that error matters more. */
async function tidy(store: AuthStore, action: () => Promise<unknown>): Promise<void> {
  await action().catch((error: Error) => {
    store.logger.warn({ error: error.message }, 'what was there before a failed import was not brought back')
  })
}

function toLocked(sessionId: string, owner: SessionOwner, leaseEndsAt: Date): SessionLockedError {
  const remainingMs = Math.max(0, leaseEndsAt.getTime() - Date.now())
  const known = { label: owner.label ?? undefined, claimedAt: owner.claimedAt }
  return new SessionLockedError(remainingMs, { sessionId, owner: known })
}

function toPresent(sessionId: string, version: number): VersionMismatchError {
  return new VersionMismatchError(0, version, { sessionId }, PRESENT)
}

interface ImportParts {
  store: AuthStore
  sessionId: string
  claim: Claim
  chunkSize: number
  onProgress: ((stored: number) => void) | undefined
}

class Import {
  readonly #store: AuthStore
  readonly #sessionId: string
  readonly #token: number
  readonly #chunkSize: number
  readonly #onProgress: ((stored: number) => void) | undefined
  readonly #types: ImportReport['types'] = {}
  readonly #skipped: SkippedRecord[] = []
  readonly #names = new Set<string>()
  /** The texts of other values of the session. They can only be read with the whole of it. */
  readonly #appState = new Map<string, string>()
  #creds: StoredCreds | undefined
  /** It has sent a write. The write may have been carried out even if it has failed. */
  #hasBegun = false
  #stored = 0
  #lostLease: unknown

  constructor({ store, sessionId, claim, chunkSize, onProgress }: ImportParts) {
    this.#store = store
    this.#sessionId = sessionId
    this.#token = claim.fencingToken
    this.#chunkSize = chunkSize
    this.#onProgress = onProgress
  }

  async run(source: SessionSource): Promise<ImportReport> {
    const renewal = setInterval(() => this.#renew(), (this.#store.leaseSeconds * 1000) / RENEWALS)
    try {
      let chunk = new Chunk(this.#chunkSize)
      for await (const record of source) {
        if (!this.#accept(record)) continue
        if (chunk.isFull) {
          await this.#write(chunk)
          chunk = new Chunk(this.#chunkSize)
        }
        this.#count(record.type, chunk.add(record))
      }
      return await this.#end(chunk)
    } finally {
      clearInterval(renewal)
    }
  }

  /** Leaves no session, and no copy of one: a deletion keeps none of what is marked so. */
  async undo(): Promise<void> {
    if (this.#hasBegun)
      await this.#store.set(this.#sessionId, { creds: UNFINISHED_IMPORT }, undefined, this.#token)
    await this.#store.delete(this.#sessionId, undefined, this.#token)
  }

  #renew(): void {
    this.#store.renewLease(this.#sessionId, this.#token).catch(error => {
      if (hasCode(error, 'FENCED')) this.#lostLease = error
    })
  }

  /** Notes the creds, and what is not to be stored. */
  #accept(record: SessionRecord | SkippedRecord): record is SessionRecord {
    if (typeof record !== 'object' || record === null) {
      throw this.#toInvalid(SHAPE)
    }
    if ('skipped' in record) {
      this.#skipped.push(record)
      return false
    }
    if (typeof record.type !== 'string' || typeof record.id !== 'string' || !('value' in record)) {
      throw this.#toInvalid(SHAPE)
    }
    const name = `${record.type} ${record.id}`
    if (this.#names.has(name)) {
      this.#skipped.push({
        skipped: `${record.type}-${record.id}`,
        reason: 'it came twice; the first one counts',
      })
      return false
    }
    this.#names.add(name)
    if (!isCredsRecord(record)) return record.value !== null && record.value !== undefined
    const creds = deepBufferRevive<StoredCreds>(record.value)
    checkSavable(creds, this.#sessionId)
    this.#creds = creds
    return false
  }

  async #write(chunk: Chunk): Promise<void> {
    await this.#set(this.#hasBegun ? chunk.patch : { creds: UNFINISHED_IMPORT, ...chunk.patch })
    await this.#compare(chunk)
  }

  /** The creds come last: with them, others can open the session. */
  async #end(chunk: Chunk): Promise<ImportReport> {
    const creds = this.#creds
    if (creds === undefined) throw this.#toInvalid('The source has no creds: it is no session.')
    const text = serialize(creds)
    this.#count('creds', text.length)
    const fitsIntoOneWrite = !this.#hasBegun
    if (!fitsIntoOneWrite) await this.#write(chunk)
    const { version, durability } = await this.#set(fitsIntoOneWrite ? { creds, ...chunk.patch } : { creds })
    if (fitsIntoOneWrite) await this.#compare(chunk)
    await this.#compareRest(text)
    await this.#store.touch(this.#sessionId) // the life of a session that was opened
    return {
      sessionId: this.#sessionId,
      isPaired: isPaired(creds),
      types: this.#types,
      skipped: this.#skipped,
      version,
      durability,
    }
  }

  async #set(patch: AuthPatch): Promise<VersionedResult> {
    if (this.#lostLease !== undefined) throw this.#lostLease
    const expectedVersion = this.#hasBegun ? undefined : 0
    this.#hasBegun = true
    return this.#store.set(this.#sessionId, patch, expectedVersion, this.#token)
  }

  async #compare(chunk: Chunk): Promise<void> {
    for (const [type, values] of chunk.keys) {
      const found = await this.#store.getKeys(this.#sessionId, type, [...values.keys()])
      for (const [id, { text }] of values) this.#assertSame(type, text, found[id])
    }
    for (const [name, { text }] of chunk.appState) this.#appState.set(name, text)
    this.#stored += chunk.size
    this.#onProgress?.(this.#stored)
  }

  async #compareRest(credsText: string): Promise<void> {
    const found = await this.#store.getCreds(this.#sessionId)
    this.#assertSame('creds', credsText, found?.data)
    if (this.#appState.size === 0) return
    const { appState = {} } = (await this.#store.get(this.#sessionId))?.data ?? {}
    for (const [name, text] of this.#appState) this.#assertSame('appState', text, appState[name])
  }

  #assertSame(type: string, text: string, found: unknown): void {
    if (serialize(found) === text) return
    throw this.#toInvalid(`A value of type "${type}" does not come back as it was given.`)
  }

  #count(type: string, bytes: number): void {
    const { count = 0, bytes: before = 0 } = this.#types[type] ?? {}
    this.#types[type] = { count: count + 1, bytes: before + bytes }
  }

  #toInvalid(message: string): InvalidValueError {
    return new InvalidValueError(`${message} The import has left no session.`, { sessionId: this.#sessionId })
  }
}
