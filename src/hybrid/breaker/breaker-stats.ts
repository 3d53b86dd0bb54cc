import type CircuitBreaker from 'opossum'

/**
 * opossum's counters of one window. A call that took too long counts as a failure. `timeouts`, and the counters of
 * features that this library does not use, stay 0.
 */
export interface CircuitBreakerStats {
  /** Calls made. */
  fires: number
  successes: number
  failures: number
  /** Calls refused while the breaker was open. */
  rejects: number
  /** Always 0: a call that took too long counts as a failure. */
  timeouts: number
  fallbacks: number
  semaphoreRejections: number
  cacheHits: number
  cacheMisses: number
}

/** Leaves out what opossum counts beside these, e.g. latencies that it was not asked for. */
export function toStats(stats: CircuitBreaker.Stats): CircuitBreakerStats {
  return {
    fires: stats.fires,
    successes: stats.successes,
    failures: stats.failures,
    rejects: stats.rejects,
    timeouts: stats.timeouts,
    fallbacks: stats.fallbacks,
    semaphoreRejections: stats.semaphoreRejections,
    cacheHits: stats.cacheHits,
    cacheMisses: stats.cacheMisses,
  }
}
