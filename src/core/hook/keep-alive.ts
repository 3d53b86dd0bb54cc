/** So often in each of a session's lives. */
const PART = 10
const MAX_INTERVAL_MS = 24 * 60 * 60 * 1000

export interface KeepAliveParts {
  /** A life of the session. */
  ttlSeconds: number
  /** Begins the next one. */
  touch: () => Promise<unknown>
  /** As a write of the owner does: it also brings back a session that has expired. */
  revive: () => Promise<unknown>
  onError: (error: Error) => void
}

/**
 * Keeps a session alive while its owner has nothing to write. A process that was stopped or cut off for a whole life
 * finds its session expired, which `touch` leaves as it is. Returns how to end it.
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
