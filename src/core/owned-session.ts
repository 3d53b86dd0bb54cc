import { ClosedError, FencedError } from './errors.js'
import type { AuthPatch, AuthStore, VersionedResult } from './store.js'

/** A session as its owner writes it: every write carries the token, until a later owner has taken it. */
export class OwnedSession {
  readonly #store: AuthStore
  readonly #sessionId: string
  readonly #fencingToken: number
  readonly #onLost: (error: FencedError) => void
  readonly #underWay = new Set<Promise<unknown>>()
  #lost: FencedError | undefined
  #isClosed = false

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
  }

  get isLost(): boolean {
    return this.#lost !== undefined
  }

  async write(patch: AuthPatch): Promise<VersionedResult> {
    this.assertOpen()
    if (this.#lost) throw this.#lost
    const writing = this.#store.set(this.#sessionId, patch, undefined, this.#fencingToken)
    this.#underWay.add(writing)
    try {
      return await writing
    } catch (error) {
      if (error instanceof FencedError && !this.#lost) {
        this.#lost = error
        this.#onLost(error)
      }
      throw error
    } finally {
      this.#underWay.delete(writing)
    }
  }

  assertOpen(): void {
    if (this.#isClosed) throw new ClosedError('The auth state', { sessionId: this.#sessionId })
  }

  /** Refuses new writes and waits for those under way, however they end. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#underWay)
  }
}
