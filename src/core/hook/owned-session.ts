import type { AuthPatch, AuthStore, Field, VersionedResult } from '../auth-store.js'
import { ClosedError, type FencedError, hasCode } from '../errors.js'
import { InFlight } from '../in-flight.js'

/** A session as its owner uses it: every read and write carries the token, until a later owner takes the session. */
export class OwnedSession {
  readonly #store: AuthStore
  readonly #sessionId: string
  readonly #fencingToken: number
  readonly #onLost: (error: FencedError) => void
  readonly #writes = new InFlight()
  #lost: FencedError | undefined
  #isClosed = false
  #isPaired = false

  constructor(
    store: AuthStore,
    sessionId: string,
    fencingToken: number,
    onLost: (error: FencedError) => void,
  ) {
    this.#store = store
    this.#sessionId = sessionId
    this.#fencingToken = fencingToken
    this.#onLost = onLost
    store.gauges.add('sessions_open', 1)
  }

  /** For the gauge of paired sessions. */
  notePairing(isPaired: boolean): void {
    if (isPaired === this.#isPaired || !this.takesWrites) return
    this.#isPaired = isPaired
    this.#store.gauges.add('sessions_open_paired', isPaired ? 1 : -1)
  }

  get isLost(): boolean {
    return this.#lost !== undefined
  }

  get takesWrites(): boolean {
    return !this.#isClosed && !this.isLost
  }

  readKeys(type: string, ids: readonly string[]): Promise<Record<string, unknown>> {
    return this.#noticing(this.#store.getKeys(this.#sessionId, type, ids, this.#fencingToken))
  }

  listKeys(type?: string): Promise<Field[]> {
    return this.#noticing(this.#store.listKeys(this.#sessionId, type, this.#fencingToken))
  }

  async write(patch: AuthPatch): Promise<VersionedResult> {
    this.assertOpen()
    if (this.#lost) throw this.#lost
    return this.#noticing(
      this.#writes.run(() => this.#store.set(this.#sessionId, patch, undefined, this.#fencingToken)),
    )
  }

  /** Waits for the writes under way, whether they succeed or fail. */
  settleWrites(): Promise<void> {
    return this.#writes.settle()
  }

  /** A later owner has the session: this one writes no more. */
  lose(error: FencedError): void {
    if (this.#lost) return
    this.#end()
    this.#lost = error
    this.#onLost(error)
  }

  assertOpen(): void {
    if (this.#isClosed) throw new ClosedError('The auth state', { sessionId: this.#sessionId })
  }

  /** Refuses all writes from now on. */
  refuseWrites(): void {
    this.#end()
    this.#isClosed = true
  }

  /** Any refused call tells that the session is lost. */
  async #noticing<T>(call: Promise<T>): Promise<T> {
    try {
      return await call
    } catch (error) {
      if (hasCode(error, 'FENCED')) this.lose(error as FencedError)
      throw error
    }
  }

  /** Runs once, when the session is closed or lost. */
  #end(): void {
    if (!this.takesWrites) return
    this.notePairing(false)
    this.#store.gauges.add('sessions_open', -1)
  }
}
