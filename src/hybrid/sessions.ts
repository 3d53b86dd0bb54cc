import { InFlight } from '../core/in-flight.js'
import { Backlog, HeldBytes } from './backlog.js'
import { SessionRoute } from './session-route.js'

/** What this process has to remember of a session as long as it differs from "all is well". */
export interface SessionState {
  readonly route: SessionRoute
  readonly backlog: Backlog
}

interface Kept extends SessionState {
  readonly users: InFlight
}

/** The sessions of one store, each for as long as anything needs its state. */
export class Sessions {
  readonly #sessions = new Map<string, Kept>()
  readonly #heldBytes = new HeldBytes()

  of(sessionId: string): SessionState {
    return this.#keep(sessionId)
  }

  /** `undefined`: all is well. */
  routeOf(sessionId: string): SessionRoute | undefined {
    return this.#sessions.get(sessionId)?.route
  }

  /** Keeps the state as long as `action` runs, whatever others forget. */
  async use<T>(sessionId: string, action: (state: SessionState) => Promise<T>): Promise<T> {
    const kept = this.#keep(sessionId)
    try {
      return await kept.users.run(() => action(kept))
    } finally {
      const { route, backlog, users } = kept
      const isIdle = route.isIdle && backlog.isIdle && users.isNone
      if (isIdle && this.#sessions.get(sessionId) === kept) this.#sessions.delete(sessionId)
    }
  }

  /** Writes of this process that the durable store lacks, as far as is known. */
  countBacklog(): number {
    return [...this.#sessions.values()].reduce((sum, { backlog }) => sum + backlog.size, 0)
  }

  withBacklog(): string[] {
    return [...this.#sessions].filter(([, { backlog }]) => !backlog.isEmpty).map(([sessionId]) => sessionId)
  }

  #keep(sessionId: string): Kept {
    const known = this.#sessions.get(sessionId)
    if (known) return known
    const kept = {
      route: new SessionRoute(sessionId),
      backlog: new Backlog(this.#heldBytes),
      users: new InFlight(),
    }
    this.#sessions.set(sessionId, kept)
    return kept
  }
}
