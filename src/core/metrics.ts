import type { Counter, Gauge, Histogram, Registry } from 'prom-client'

const PREFIX = 'baileys_store_'

/** Names without prefix and `_total`, and what they count. */
const COUNTERS = {
  redis_hits: 'Reads that Redis has answered',
  redis_misses: 'Reads of a session that Redis did not have whole',
  mongo_fallbacks: 'Reads that MongoDB has answered in place of Redis',
  direct_writes: 'Writes brought to MongoDB by this process, without a queue',
  queue_publishes: 'Jobs that the queue has taken',
  queue_failures: 'Jobs that the queue has not taken',
  circuit_breaker_open: 'Times that the circuit breaker around MongoDB has opened',
  circuit_breaker_close: 'Times that it has closed',
  circuit_breaker_halfopen: 'Times that it has let one call try',
  outbox_reconciler_failures: 'Outboxes that the reconciler could not empty',
  outbox_parked: 'Writes that MongoDB refuses, kept in the outbox',
  version_conflicts: 'Writes refused with VERSION_MISMATCH',
  ownership_lost: 'Calls refused with FENCED',
  rewinds: 'Times that the database was found to have gone back',
  degraded_opens: 'Sessions opened while one of Redis and MongoDB was away',
} as const

export type CounterName = keyof typeof COUNTERS
export type Layer = 'store' | 'redis' | 'mongodb'

/** What the stores tell of themselves. Labels are of a fixed number: never a session, a key or a phone number. */
export interface Metrics {
  /** `null` where metrics are turned off. */
  readonly registry: Registry | null
  count(name: CounterName): void
  /** How long an operation took, retries included. */
  observe(layer: Layer, operation: string, isOk: boolean, ms: number): void
  observeReconciliation(ms: number): void
  /** Asked for when the metrics are read. */
  watchOutbox(measure: () => Promise<{ depth: number; oldestAgeMs: number }>): void
}

export const NO_METRICS: Metrics = {
  registry: null,
  count() {},
  observe() {},
  observeReconciliation() {},
  watchOutbox() {},
}

type PromClient = typeof import('prom-client')
type Labelled = Pick<Histogram.Internal<'operation' | 'layer' | 'status'>, 'observe'>

/** A registry of its own, unless one is given, which several stores may share. */
export async function createMetrics(given?: Registry): Promise<Metrics> {
  const prom = await import('prom-client')
  return new PromMetrics(prom, given ?? new prom.Registry())
}

class PromMetrics implements Metrics {
  readonly registry: Registry
  readonly #prom: PromClient
  readonly #counters: Readonly<Record<CounterName, Counter>>
  readonly #latency: Histogram<'operation' | 'layer' | 'status'>
  readonly #reconciliation: Histogram
  /** By what they are labelled with: looking labels up costs more than counting. */
  readonly #labelled = new Map<string, Labelled>()

  constructor(prom: PromClient, registry: Registry) {
    this.registry = registry
    this.#prom = prom
    const entries = Object.entries(COUNTERS).map(([name, help]) => [
      name,
      this.#counter(`${name}_total`, help),
    ])
    this.#counters = Object.fromEntries(entries)
    this.#latency = this.#histogram(
      'operation_latency_seconds',
      'Time that an operation took, its retries included',
      ['operation', 'layer', 'status'],
    )
    this.#reconciliation = this.#histogram(
      'outbox_reconciler_latency_seconds',
      'Time that emptying an outbox into MongoDB took',
      [],
    )
  }

  count(name: CounterName): void {
    this.#counters[name].inc()
  }

  observe(layer: Layer, operation: string, isOk: boolean, ms: number): void {
    const key = `${layer} ${operation} ${isOk}`
    const known = this.#labelled.get(key)
    const labelled = known ?? this.#latency.labels({ operation, layer, status: isOk ? 'ok' : 'error' })
    if (known === undefined) this.#labelled.set(key, labelled)
    labelled.observe(ms / 1000)
  }

  observeReconciliation(ms: number): void {
    this.#reconciliation.observe(ms / 1000)
  }

  watchOutbox(measure: () => Promise<{ depth: number; oldestAgeMs: number }>): void {
    const age = this.#gauge('outbox_oldest_age_seconds', 'Age of the oldest write that waits in an outbox')
    this.#gauge('outbox_depth', 'Writes that wait in the outboxes of all sessions', async function () {
      const { depth, oldestAgeMs } = await measure()
      this.set(depth)
      age.set(oldestAgeMs / 1000)
    })
  }

  #counter(name: string, help: string): Counter {
    return (
      this.#known<Counter>(name) ??
      new this.#prom.Counter({ name: PREFIX + name, help, registers: [this.registry] })
    )
  }

  #histogram<L extends string>(name: string, help: string, labelNames: L[]): Histogram<L> {
    const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
    return (
      this.#known<Histogram<L>>(name) ??
      new this.#prom.Histogram({ name: PREFIX + name, help, labelNames, buckets, registers: [this.registry] })
    )
  }

  #gauge(name: string, help: string, collect?: (this: Gauge) => Promise<void>): Gauge {
    this.registry.removeSingleMetric(PREFIX + name) // the last store that shares the registry measures
    return new this.#prom.Gauge({
      name: PREFIX + name,
      help,
      registers: [this.registry],
      ...(collect && { collect }),
    })
  }

  /** Of another store with the same registry. */
  #known<M>(name: string): M | undefined {
    return this.registry.getSingleMetric(PREFIX + name) as M | undefined
  }
}
