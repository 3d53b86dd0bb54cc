/** How often a session is kept alive in each life. */
const PART = 10
const MAX_INTERVAL_MS = 24 * 60 * 60 * 1000

export interface KeepAliveParts {
  /** The life of the session. */
  ttlSeconds: number
  /** Begins the next life. */
  touch: () => Promise<unknown>
  /** Writes like the owner: a write also brings back an expired session. */
  revive: () => Promise<unknown>
  onError: (error: Error) => void
}

/**
 * Keeps a session alive while its owner has nothing to write. A process that was stopped or cut off for a whole life
 * finds its session expired, and `touch` does not bring it back. Returns a function that stops this.
 */
export function keepAlive({ ttlSeconds, touch, revive, onError }: KeepAliveParts): () => void {
  const lifeMs = ttlSeconds * 1000
  let keptAtMs = Date.now()
  const keep = () => {
    const nowMs = Date.now()
    const keeping = nowMs - keptAtMs < lifeMs ? touch() : revive()
    keeping.then(() => {
      keptAtMs = nowMs
    }, onError)
  }
  const timer = setInterval(keep, Math.min(lifeMs / PART, MAX_INTERVAL_MS)).unref()
  return () => clearInterval(timer)
}
