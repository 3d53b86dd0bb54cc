import { setTimeout as sleep } from 'node:timers/promises'
import type { Deletion } from '../core/backend.js'
import { CorruptValueError, SessionIncompleteError, StoreTimeoutError } from '../core/errors.js'
import { assertAwaited, type Call } from '../core/retry.js'
import { MAX_GIVEN_COUNT } from '../core/store/arguments.js'
import type { AuthCollection } from './auth-collection.js'
import type { DocumentNames } from './document-names.js'
import { type Found, type HeadDocument, type IntentWrite, toFound, VACANT } from './documents.js'
import { readHead, readRawHead, type Send } from './heads.js'
import { applyIntent, completeIntent, dropChain, storeIntent } from './intents.js'
import { indexOf, isDuplicate } from './mongo-errors.js'
import { type Change, combine, type Outcome, type Request, takeJoined } from './requests.js'
import { hasShape, NO_LIST, salvage } from './stored-documents.js'

/** The pause after a lost compare-and-set; it grows with each. */
const FIRST_PAUSE_MS = 4
const MAX_PAUSE_MS = 100
/** Most intents in a row whose parts are gone, each completed by another process. */
const MAX_READINGS = 50
/** Most looks at fields without a head before they count as half a session, and the pause between two. */
const MAX_LOOKS = 3
const REMAINS_PAUSE_MS = 50

interface ChangeOptions {
  joins?: boolean
  mayGuess?: boolean
  replacesRemains?: boolean
  call?: Call | undefined
}

/**
 * Changes sessions without a transaction: one compare-and-set on the head, which is then carried out. Commits that wait
 * for their turn are joined into one change, so that round trips do not hold up a busy session.
 */
export class SessionWriter {
  readonly #collection: AuthCollection
  readonly #send: Send
  readonly #timeoutMs: number
  readonly #now: () => number
  readonly #queues = new Map<string, Request[]>()

  constructor(collection: AuthCollection, send: Send, timeoutMs: number, now: () => number) {
    this.#collection = collection
    this.#send = send
    this.#timeoutMs = timeoutMs
    this.#now = now
  }

  /** Decides on the current head, and again when another process was faster, until no caller waits any more. */
  change<T>(
    names: DocumentNames,
    decide: (found: Found) => Change<T>,
    writes?: IntentWrite[],
    { joins = true, mayGuess = writes !== undefined, replacesRemains = false, call }: ChangeOptions = {},
  ): Promise<T> {
    const { sessionId } = names
    return new Promise<T>((resolve, reject) => {
      const endMs = performance.now() + this.#timeoutMs
      const decideInTime = (found: Found) => {
        assertAwaited(call)
        return decide(found)
      }
      const terms = { writes, joins, mayGuess, replacesRemains }
      const request = { ...terms, decide: decideInTime, endMs, resolve, reject }
      const queue = this.#queues.get(sessionId) ?? []
      if (writes) {
        queue.push(request)
        this.#queues.set(sessionId, queue)
      }
      void this.#collection.inTurn(sessionId, () => {
        const joined = writes ? takeJoined(queue) : [request]
        if (queue.length === 0) this.#queues.delete(sessionId)
        return this.#carryOut(names, joined)
      })
    })
  }

  async #carryOut(names: DocumentNames, requests: Request[]): Promise<void> {
    const { heads } = this.#collection
    let waiting = this.#dropLate(names, requests)
    const guess = waiting.every(({ mayGuess }) => mayGuess) ? heads.get(names.sessionId) : undefined
    heads.delete(names.sessionId)
    try {
      if (guess && (await this.#try(names, toFound(guess, this.#now()), waiting, true))) return
      for (let pauseMs = FIRST_PAUSE_MS; waiting.length > 0; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
        const replacesRemains = waiting.every(request => request.replacesRemains)
        if (await this.#try(names, await this.#findCompleted(names, replacesRemains), waiting)) return
        await sleep(Math.random() * pauseMs)
        waiting = this.#dropLate(names, waiting)
      }
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }

  /** `false`: the head is another than `found`, or a guess is not enough. */
  async #try(names: DocumentNames, found: Found, requests: Request[], isGuess = false): Promise<boolean> {
    const outcome = combine(names, found, requests, this.#now())
    const { head, isCertain, isKnown, settle } = outcome
    if (isGuess && !isCertain) return false
    if (head !== undefined) {
      if (!(await this.#swap(names, found, head, outcome))) return false
    } else if (isKnown) {
      await this.#confirm(names)
    }
    settle()
    return true
  }

  /**
   * Confirms an answer that relies on a read alone: this server may still roll back what it showed, e.g. an operation
   * whose write concern failed. An update that changes nothing waits, by its own write concern, for all earlier writes.
   */
  async #confirm(names: DocumentNames): Promise<void> {
    const nothing = { $unset: { confirmed: '' } } // no head has this member
    await this.#send(documents => documents.updateOne({ _id: names.head }, nothing))
  }

  #dropLate({ sessionId }: DocumentNames, requests: Request[]): Request[] {
    const nowMs = performance.now()
    return requests.filter(({ endMs, reject }) => {
      if (nowMs < endMs) return true
      reject(new StoreTimeoutError('change', this.#timeoutMs, { sessionId }))
      return false
    })
  }

  /** The compare-and-set, and then the intent. `false`: the head is another than `found`. */
  async #swap(
    names: DocumentNames,
    { document }: Found,
    next: HeadDocument,
    { writes, writesVersion = next.v }: Outcome,
  ): Promise<boolean> {
    const { keptUntil } = next
    const intent = writes
      ? await storeIntent(this.#send, names, writesVersion, writes, keptUntil, this.#now())
      : next.intent
    const head = { ...next, intent }
    if (document?.session && head.session) await this.#renewFields(names, document, head)
    const isOurs = (await this.#exchange(names, document, head)) || (await this.#isOurs(names, head))
    if (!isOurs) {
      if (intent) await dropChain(this.#send, names, intent)
      return false
    }
    if (!writes) await completeIntent(this.#send, names, head, this.#now())
    else if (!(await applyIntent(this.#send, names, head, writes, this.#now()))) return false
    this.#collection.heads.set(names.sessionId, { ...head, intent: undefined })
    return true
  }

  /** Sends only the differences. `false`: the head is another by now. */
  async #exchange(
    names: DocumentNames,
    document: HeadDocument | undefined,
    head: HeadDocument,
  ): Promise<boolean> {
    const { _id, ...fields } = head
    const differing = Object.entries(fields).filter(
      ([name, value]) => !isSame(value, document?.[name as keyof HeadDocument]),
    )
    const $set = Object.fromEntries(differing.filter(([, value]) => value !== undefined))
    const taken = differing.filter(([, value]) => value === undefined)
    const $unset = Object.fromEntries(taken.map(([name]) => [name, ''])) // a client may leave out `undefined` members
    if (document === undefined) return this.#insert(names, { _id, ...$set })
    if (differing.length === 0) return true
    // After the database has gone back, the version alone may be another write's: the operations tell them apart.
    const { v, ops, incarnation = null, late = null, fence, barredBelow = null } = document
    const { endsAt = null, keptUntil = null, leaseUntil = null } = document
    const found = { _id, v, ops, incarnation, late, fence, barredBelow, endsAt, keptUntil, leaseUntil }
    const update = {
      ...(Object.keys($set).length > 0 && { $set }),
      ...(Object.keys($unset).length > 0 && { $unset }), // MongoDB before 5.0 refuses an empty operator
    }
    const { matchedCount } = await this.#send(documents => documents.updateOne(found, update))
    return matchedCount === 1
  }

  /**
   * `false`: another process has written a head. Throws if there is no head: the new one has met a foreign unique
   * index.
   */
  async #insert(names: DocumentNames, head: object): Promise<boolean> {
    try {
      await this.#send(documents => documents.insertOne(head))
      return true
    } catch (error) {
      if (!isDuplicate(error)) throw error
      const met = indexOf(error)
      if (met !== undefined && met !== '_id_') throw error
      if (met === undefined && (await readRawHead(this.#send, names)) === undefined) throw error
      return false
    }
  }

  /**
   * Whether the head holds this write after all: a client repeats a command after a lost answer, and may then find its
   * own write. Only asked for a chain, which would be dropped with a failed write.
   */
  async #isOurs(names: DocumentNames, { v, ops, intent }: HeadDocument): Promise<boolean> {
    if (intent === undefined || !('chain' in intent)) return false
    const found = await readHead(this.#send, names)
    const isSameChain = found?.intent && 'chain' in found.intent && found.intent.chain === intent.chain
    return found?.v === v && found.ops === ops && isSameChain === true
  }

  /** Keeps all fields as long as the head will say, before the head says so. */
  async #renewFields(names: DocumentNames, before: HeadDocument, after: HeadDocument): Promise<void> {
    const { keptUntil } = after
    if (before.keptUntil?.getTime() === keptUntil?.getTime()) return
    const update = keptUntil ? { $set: { expiresAt: keptUntil } } : { $unset: { expiresAt: '' } }
    await this.#send(documents => documents.updateMany({ _id: names.fields, gone: null }, update))
  }

  /** The head, after completing the intent of earlier writes. */
  async #findCompleted(names: DocumentNames, replacesRemains: boolean): Promise<Found> {
    for (let readings = 0; readings < MAX_READINGS; readings++) {
      const document = await readHead(this.#send, names)
      if (document === undefined && replacesRemains) return toFound(document, this.#now())
      if (document === undefined || (await completeIntent(this.#send, names, document, this.#now()))) {
        if (document === undefined) await this.isAbsent(names) // a head that has come makes the insertion fail
        return toFound(document && { ...document, intent: undefined }, this.#now())
      }
    }
    throw new CorruptValueError('The session has a write of which a part is missing.', {
      sessionId: names.sessionId,
    })
  }

  /**
   * Whether there is nothing of a session of which no head was found; `false`: the head has come since. Throws
   * `SESSION_INCOMPLETE` for fields without a head: half a session is not a new one. Waits first, because a write that has
   * lost its head removes its fields again.
   */
  async isAbsent(names: DocumentNames): Promise<boolean> {
    for (let looks = 0; ; looks++) {
      const remains = await this.#findRemains(names)
      if (remains !== 'fields') return remains === 'nothing'
      if (looks === MAX_LOOKS) throw new SessionIncompleteError({ sessionId: names.sessionId })
      await sleep(REMAINS_PAUSE_MS)
    }
  }

  async #findRemains(names: DocumentNames): Promise<'nothing' | 'fields' | 'a session'> {
    const lives = [{ expiresAt: null }, { expiresAt: { $gt: new Date(this.#now()) } }]
    const one = { limit: 1, projection: { _id: 1 } } as const
    const fields = await this.#send(documents =>
      documents.find({ _id: names.fields, gone: null, $or: lives }, one).toArray(),
    )
    if (fields.length === 0) return 'nothing'
    const heads = await this.#send(documents => documents.find({ _id: names.head }, one).toArray())
    return heads.length === 0 ? 'fields' : 'a session'
  }

  /** Creates a head for fields without one, so that the session can be deleted. */
  async recreateHead(names: DocumentNames): Promise<void> {
    const v = await this.highestVersion(names)
    await this.#exchange(names, undefined, {
      ...VACANT,
      _id: names.head,
      session: names.sessionId,
      v,
      fence: 0,
    })
  }

  /**
   * The highest version of the fields; 0 without fields. Counts a damaged field if its version can be followed by
   * another.
   */
  async highestVersion(names: DocumentNames): Promise<number> {
    const v = { $gt: 0, $lt: MAX_GIVEN_COUNT, ...NO_LIST }
    const highest = { sort: { v: -1 }, limit: 1, projection: { v: 1 } } as const
    const found = await this.#send(documents => documents.find({ _id: names.fields, v }, highest).toArray())
    const [field] = found as { v: unknown }[]
    return field === undefined ? 0 : Math.ceil(Number(String(field.v))) // a number of any BSON type
  }

  /**
   * Replaces a head that is damaged, or whose write has lost a part, by one that can be deleted. `false`: there is no
   * head, or the deletion has conditions, which a damaged head cannot meet.
   */
  async mendHead(
    names: DocumentNames,
    { fencingToken, expectedVersion, seenVersion = 0 }: Deletion,
  ): Promise<boolean> {
    const found = await readRawHead(this.#send, names)
    if (found === undefined) return false
    const { v, ops } = found as Partial<HeadDocument>
    const { sessionId, head: _id } = names
    const filter = { _id, v: asFound(v), ops: asFound(ops) }
    const isSound = hasShape(found, sessionId)
    if (!isSound && (fencingToken !== undefined || expectedVersion !== undefined)) return false
    const sound = salvage(found)
    const mended = {
      ...VACANT,
      session: sessionId,
      // At least every field's version: the next session would read a field above the tombstone as its own.
      v: Math.max(sound.v, seenVersion, await this.highestVersion(names)),
      fence: isSound ? sound.fence : Math.max(sound.fence, this.#now()),
    }
    const rest = Object.keys(found).filter(name => name !== '_id' && !(name in mended))
    const $unset = Object.fromEntries(rest.map(name => [name, '']))
    const update = isSound ? { $unset: { intent: '' } } : { $set: mended, ...(rest.length > 0 && { $unset }) }
    const { matchedCount } = await this.#send(documents => documents.updateOne(filter, update))
    return matchedCount === 1
  }
}

/** A filter for a member as it was found, even if damaged. The driver rounds and converts some values that it reads. */
function asFound(value: unknown): object {
  if (typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER) {
    return value > 0 ? { $gt: Number.MAX_SAFE_INTEGER } : { $lt: Number.MIN_SAFE_INTEGER }
  }
  if (typeof value === 'number' || typeof value === 'string') return { $eq: value }
  if (Array.isArray(value)) return { $type: 'array' } // other filters look at its elements
  return { $not: { $type: ['int', 'double', 'string'] } } // includes a Long that no number can hold
}

function isSame(a: unknown, b: unknown): boolean {
  return a instanceof Date && b instanceof Date ? a.getTime() === b.getTime() : a === b
}
