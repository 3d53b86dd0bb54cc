import type { HybridAuthStore } from '@luoarch/baileys-store-core/hybrid'

/** What a bot's process tells of its store. */
export type StoreNote = {
  /** The circuit breaker around MongoDB. */
  breaker: 'open' | 'closed'
  /** Reads that MongoDB has answered in place of Redis. */
  readsByMongo: number
}

const LOOK_EVERY_MS = 100

/** Tells now, and whenever something has changed; until the function that is returned is called. */
export function noteChanges(store: HybridAuthStore, tell: (note: StoreNote) => void): () => void {
  let last = ''
  const look = async () => {
    const note = await describe(store)
    if (JSON.stringify(note) === last) return
    last = JSON.stringify(note)
    tell(note)
  }
  void look()
  const timer = setInterval(look, LOOK_EVERY_MS)
  return () => clearInterval(timer)
}

async function describe(store: HybridAuthStore): Promise<StoreNote> {
  const reads = await store.getMetricsRegistry().getSingleMetric('baileys_store_mongo_fallbacks_total')?.get()
  return {
    breaker: store.isMongoCircuitBreakerOpen() ? 'open' : 'closed',
    readsByMongo: reads?.values[0]?.value ?? 0,
  }
}
