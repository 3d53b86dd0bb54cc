import { InFlight } from '../../core/in-flight.js'
import { HighestVersions } from '../../core/store/highest-versions.js'
import { Backlog, HeldBytes } from './backlog.js'
import { SessionRoute } from './session-route.js'

/** What this process remembers of a session while it differs from "all is well". */
export interface SessionState {
  readonly route: SessionRoute
  readonly backlog: Backlog
}

interface Kept extends SessionState {
  readonly users: InFlight
}

/** The sessions of one store. Each stays here while a caller or its own state needs it. */
export class Sessions {
  readonly #sessions = new Map<string, Kept>()
  readonly #heldBytes = new HeldBytes()
  /** Kept for longer than the state of a session: a write whose answer was lost is known by its entry alone. */
  readonly #taken = new HighestVersions()

  of(sessionId: string): SessionState {
    return this.#keep(sessionId)
  }

  /** `undefined`: all is well. */
  routeOf(sessionId: string): SessionRoute | undefined {
    return this.#sessions.get(sessionId)?.route
  }

  /** Whether this process has writes that the durable store is not known to have. */
  hasBacklog(sessionId: string): boolean {
    return this.#sessions.get(sessionId)?.backlog.isEmpty === false
  }

  /** Keeps the state while `action` runs, even if it becomes idle. */
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

  /** The number of writes of this process that the durable store is not known to have. */
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
      route: new SessionRoute(sessionId, this.#taken),
      backlog: new Backlog(this.#heldBytes),
      users: new InFlight(),
    }
    this.#sessions.set(sessionId, kept)
    return kept
  }
}
