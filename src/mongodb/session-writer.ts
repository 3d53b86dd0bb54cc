import { setTimeout as sleep } from 'node:timers/promises'
import { CorruptValueError, SessionIncompleteError, StoreTimeoutError } from '../core/errors.js'
import type { AuthCollection } from './auth-collection.js'
import type { DocumentNames } from './document-names.js'
import { type Found, type HeadDocument, type IntentWrite, toFound, VACANT } from './documents.js'
import { applyIntent, completeIntent, dropChain, storeIntent } from './intents.js'
import { isDuplicate } from './mongo-errors.js'
import { readSession, type Send } from './session-reader.js'

/** Pause after a compare-and-set that another process has won, growing with each. */
const FIRST_PAUSE_MS = 4
const MAX_PAUSE_MS = 100
/** Intents found whose parts have gone: each time another process has completed one. */
const MAX_READINGS = 50

/** What becomes of a head: what is set, and what is taken off (`undefined`). Without one nothing changes. */
export interface Change<T> {
  result: T
  head?: Partial<HeadDocument>
}

/** Changes sessions without a transaction: one compare-and-set on the head, which is then carried out. */
export class SessionWriter {
  readonly #collection: AuthCollection
  readonly #send: Send
  readonly #timeoutMs: number
  readonly #now: () => number

  constructor(collection: AuthCollection, send: Send, timeoutMs: number, now: () => number) {
    this.#collection = collection
    this.#send = send
    this.#timeoutMs = timeoutMs
    this.#now = now
  }

  /** Decides on the head as it is, and again when another process was faster, until the call's time is over. */
  change<T>(
    names: DocumentNames,
    writes: IntentWrite[] | undefined,
    decide: (found: Found) => Change<T>,
  ): Promise<T> {
    const { sessionId } = names
    const endMs = performance.now() + this.#timeoutMs
    return this.#collection.inTurn(sessionId, async () => {
      const guess = writes && this.#collection.heads.get(sessionId)
      this.#collection.heads.delete(sessionId)
      if (guess) {
        const found = toFound(guess, this.#now())
        const head = attempt(() => decide(found))
        if (head?.head && (await this.#swap(names, found, head.head, writes))) return head.result
      }
      for (
        let pauseMs = FIRST_PAUSE_MS;
        performance.now() < endMs;
        pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)
      ) {
        const found = await this.#findCompleted(names)
        const { result, head } = decide(found)
        if (head === undefined || (await this.#swap(names, found, head, writes))) return result
        await sleep(Math.random() * pauseMs)
      }
      throw new StoreTimeoutError('change', this.#timeoutMs, { sessionId })
    })
  }

  /** The compare-and-set, and what follows from it. `false`: the head is not what was found. */
  async #swap(
    names: DocumentNames,
    { document }: Found,
    changes: Partial<HeadDocument>,
    writes: IntentWrite[] | undefined,
  ): Promise<boolean> {
    const head = { ...document, ...changes, _id: names.head } as HeadDocument
    const { v, keptUntil } = head
    if (writes) head.intent = await storeIntent(this.#send, names, v, writes, keptUntil, this.#now())
    if (document?.session && head.session) await this.#renewFields(names, document, head)
    if (!(await this.#exchange(document, head))) {
      if (head.intent) await dropChain(this.#send, names, head.intent)
      return false
    }
    const { intent } = head
    if (intent && writes) await applyIntent(this.#send, names, intent, writes, keptUntil, this.#now())
    else await completeIntent(this.#send, names, head, this.#now())
    this.#collection.heads.set(names.sessionId, { ...head, intent: undefined })
    return true
  }

  async #exchange(document: HeadDocument | undefined, head: HeadDocument): Promise<boolean> {
    const entries = Object.entries(head)
    const $set = Object.fromEntries(entries.filter(([name, value]) => value !== undefined && name !== '_id'))
    const $unset = Object.fromEntries(entries.filter(([, value]) => value === undefined))
    const { _id } = head
    if (document === undefined) {
      try {
        await this.#send(documents => documents.insertOne({ _id, ...$set }))
        return true
      } catch (error) {
        if (isDuplicate(error)) return false
        throw error
      }
    }
    const { v, fence, endsAt = null, keptUntil = null } = document
    const update = Object.keys($unset).length === 0 ? { $set } : { $set, $unset }
    const { matchedCount } = await this.#send(documents =>
      documents.updateOne({ _id, v, fence, endsAt, keptUntil }, update),
    )
    return matchedCount === 1
  }

  /** Before the head says so, all fields are kept as long as it will say. */
  async #renewFields(names: DocumentNames, before: HeadDocument, after: HeadDocument): Promise<void> {
    const { keptUntil } = after
    if (before.keptUntil?.getTime() === keptUntil?.getTime()) return
    const update = keptUntil ? { $set: { expiresAt: keptUntil } } : { $unset: { expiresAt: '' } }
    await this.#send(documents => documents.updateMany({ _id: names.fields, gone: null }, update))
  }

  /** The head, with nothing left to be done of earlier writes. */
  async #findCompleted(names: DocumentNames): Promise<Found> {
    for (let readings = 0; readings < MAX_READINGS; readings++) {
      const [document] = (await this.#send(documents => documents.find({ _id: names.head }).toArray())) as (
        | HeadDocument
        | undefined
      )[]
      if (document === undefined || (await completeIntent(this.#send, names, document, this.#now()))) {
        return this.toFound(names, document && { ...document, intent: undefined })
      }
    }
    throw new CorruptValueError('The session has a write of which a part is missing.', {
      sessionId: names.sessionId,
    })
  }

  /** Refuses fields without a head: half a session is no new one. */
  async toFound(names: DocumentNames, document: HeadDocument | undefined): Promise<Found> {
    if (document === undefined && (await this.#hasRemains(names))) {
      throw new SessionIncompleteError({ sessionId: names.sessionId })
    }
    return toFound(document, this.#now())
  }

  async #hasRemains(names: DocumentNames): Promise<boolean> {
    const lives = [{ expiresAt: null }, { expiresAt: { $gt: new Date(this.#now()) } }]
    const one = { limit: 1, projection: { _id: 1 } } as const
    const fields = await this.#send(documents =>
      documents.find({ _id: names.fields, gone: null, $or: lives }, one).toArray(),
    )
    if (fields.length === 0) return false
    const heads = await this.#send(documents => documents.find({ _id: names.head }, one).toArray())
    return heads.length === 0 // else it was written just now
  }

  /** A head for what has lost its own, so that it can be deleted like any other. */
  async giveHead(names: DocumentNames): Promise<void> {
    const { head, fields } = await readSession(this.#send, names, names.all, { data: 0 })
    if (head !== undefined || fields.size === 0) return
    const v = [...fields.values()].reduce((most, field) => Math.max(most, field.v), 0)
    await this.#exchange(undefined, { ...VACANT, _id: names.head, session: names.sessionId, v, fence: 0 })
  }
}

/** What may be refused on a guess is decided again on what is there. */
function attempt<T>(decide: () => T): T | undefined {
  try {
    return decide()
  } catch {
    return undefined
  }
}
