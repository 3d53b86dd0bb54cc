import type { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { InvalidOptionError } from './errors.js'
import { quietly } from './quietly.js'

const PREFIX = 'baileys_store_'

/** Counters by name, without prefix and `_total`, with their help texts. */
const COUNTERS = {
  redis_hits: 'Reads that Redis has answered',
  redis_misses: 'Reads of a session that Redis did not have whole',
  cache_hits: 'Keys that their owner had in memory',
  cache_misses: 'Keys that their owner did not have in memory',
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
  written_bytes: 'Bytes of encoded values that were written',
  read_bytes: 'Bytes of encoded values that were read',
  sessions_opened: 'Claims that have taken the ownership of a session',
  sessions_deleted: 'Deletions of sessions',
  sessions_restored: 'Deleted sessions that were brought back',
} as const

/** Counters by the type of a key. */
const KEY_COUNTERS = {
  keys_written: 'Keys that were written',
  keys_deleted: 'Keys that were deleted',
} as const
/** The values of the label. Other types would make it unbounded: they are "other". */
const KEY_TYPES = new Set([
  'pre-key',
  'session',
  'sender-key',
  'sender-key-memory',
  'app-state-sync-key',
  'app-state-sync-version',
  'lid-mapping',
  'device-list',
  'tctoken',
  'identity-key',
  'creds',
])

/** Gauges. Stores that share a registry add up. */
const GAUGES = {
  sessions_open: 'Sessions that are open and owned by this process',
  sessions_open_paired: 'Sessions that are open, owned by this process, and paired with an account',
  mongo_breakers_open: 'Circuit breakers around MongoDB that are open now, or let one call try',
  redis_breakers_open: 'Circuit breakers around Redis that are open now, or let one call try',
} as const

export type CounterName = keyof typeof COUNTERS
export type GaugeName = keyof typeof GAUGES
type KeyCounterName = keyof typeof KEY_COUNTERS
export type Layer = 'store' | 'redis' | 'mongodb'
/** `refused`: the store works, and has refused the call. */
export type Status = 'ok' | 'refused' | 'error'

export interface Gauges {
  /** A negative `by` subtracts. */
  add(name: GaugeName, by: number): void
}

/** One field of a write; without bytes, it is deleted. */
interface Written {
  readonly type: string
  readonly bytes: Uint8Array | null
}

/** What waits in the outboxes of all sessions; `NaN` if unknown. */
export interface OutboxMeasure {
  depth: number
  /** The depth of the largest outbox. */
  largestDepth: number
  oldestAgeMs: number
}

type MeasureOutbox = () => Promise<OutboxMeasure>

/** The metrics of the stores. The set of labels is fixed: never a session, a key or a phone number. */
export interface Metrics extends Gauges {
  /** `null` if metrics are turned off. */
  readonly registry: Registry | null
  /** Adds one, or `by`. */
  count(name: CounterName, by?: number): void
  /** The fields of a write, by their types. */
  countWrites(writes: readonly Written[]): void
  /** The duration of an operation, including retries. */
  observe(layer: Layer, operation: string, status: Status, ms: number): void
  observeReconciliation(ms: number): void
  /** Calls `measure` when the metrics are read, until the caller calls the returned function. */
  watchOutbox(measure: MeasureOutbox): () => void
}

export const NO_METRICS: Metrics = {
  registry: null,
  count() {},
  add() {},
  countWrites() {},
  observe() {},
  observeReconciliation() {},
  watchOutbox: () => () => {},
}

type PromClient = typeof import('prom-client')
type Labelled = Pick<Histogram.Internal<'operation' | 'layer' | 'status'>, 'observe'>
/** Stores that share a registry may share the outboxes too: the last open store measures. */
type OutboxGauge = Gauge & { measures: Set<MeasureOutbox> }

const LATENCY = {
  help: 'Time that an operation took, its retries included',
  labels: ['operation', 'layer', 'status'] as const,
}
const RECONCILIATION = { help: 'Time that emptying an outbox into MongoDB took', labels: [] as const }
/** The first store with outboxes makes these. */
const OUTBOX_GAUGES = {
  outbox_oldest_age_seconds: 'Age of the oldest write that waits in an outbox',
  outbox_largest_depth: 'Writes that wait in the outbox of the session that has most',
  outbox_depth: 'Writes that wait in the outboxes of all sessions',
} as const

/** Every metric that the library may register: type, name, help, labels. */
const ALL: readonly (readonly [string, string, string, readonly string[]])[] = [
  ...Object.entries(COUNTERS).map(([name, help]) => ['counter', `${name}_total`, help, []] as const),
  ...Object.entries(KEY_COUNTERS).map(
    ([name, help]) => ['counter', `${name}_total`, help, ['type']] as const,
  ),
  ...Object.entries({ ...GAUGES, ...OUTBOX_GAUGES }).map(
    ([name, help]) => ['gauge', name, help, []] as const,
  ),
  ['histogram', 'operation_latency_seconds', LATENCY.help, LATENCY.labels],
  ['histogram', 'outbox_reconciler_latency_seconds', RECONCILIATION.help, RECONCILIATION.labels],
]

/**
 * Refuses a registry in which the application has a metric under one of our names: counting would throw, or add to it.
 */
function assertOurs(registry: Registry): void {
  for (const [type, name, help, labels] of ALL) {
    const known = registry.getSingleMetric(PREFIX + name) as Partial<Described> | undefined
    if (known === undefined) continue
    if (known.type === type && known.help === help && known.labelNames?.join() === labels.join()) continue
    throw new InvalidOptionError(
      `"observability.metricsRegistry" has a metric "${PREFIX + name}" that is not ours. ` +
        'Rename that one, or give the store a registry of its own.',
    )
  }
}

interface Described {
  readonly type: string
  readonly help: string
  readonly labelNames: readonly string[]
}

/** Creates a registry, unless the caller gives one, which several stores may share. */
export async function createMetrics(given?: Registry): Promise<Metrics> {
  const prom = await import('prom-client')
  if (given) assertOurs(given)
  return new PromMetrics(prom, given ?? new prom.Registry())
}

class PromMetrics implements Metrics {
  readonly registry: Registry
  readonly #prom: PromClient
  readonly #counters: Readonly<Record<CounterName, Counter>>
  readonly #gauges: Readonly<Record<GaugeName, Gauge>>
  readonly #keys: Readonly<Record<KeyCounterName, Counter<'type'>>>
  readonly #latency: Histogram<'operation' | 'layer' | 'status'>
  readonly #reconciliation: Histogram
  /** By label values: looking labels up costs more than counting. */
  readonly #labelled = new Map<string, Labelled>()
  readonly #byType = new Map<string, Pick<Counter.Internal, 'inc'>>()

  constructor(prom: PromClient, registry: Registry) {
    this.registry = registry
    this.#prom = prom
    this.#counters = mapValues(COUNTERS, (name, help) => this.#counter(`${name}_total`, help))
    this.#gauges = mapValues(GAUGES, (name, help) => this.#known<Gauge>(name) ?? this.#gauge(name, help))
    this.#keys = mapValues(KEY_COUNTERS, (name, help) => this.#counter(`${name}_total`, help, ['type']))
    this.#latency = this.#histogram('operation_latency_seconds', LATENCY.help, [...LATENCY.labels])
    this.#reconciliation = this.#histogram('outbox_reconciler_latency_seconds', RECONCILIATION.help, [])
  }

  count(name: CounterName, by = 1): void {
    quietly(() => this.#counters[name].inc(by))
  }

  add(name: GaugeName, by: number): void {
    quietly(() => this.#gauges[name].inc(by))
  }

  countWrites(writes: readonly Written[]): void {
    quietly(() => {
      let from = 0
      for (const [n, { type, bytes }] of writes.entries()) {
        const next = writes[n + 1] // most writes are of one type
        if (next?.type === type && (next.bytes === null) === (bytes === null)) continue
        this.#labelType(bytes === null ? 'keys_deleted' : 'keys_written', type).inc(n + 1 - from)
        from = n + 1
      }
    })
  }

  #labelType(name: KeyCounterName, type: string): Pick<Counter.Internal, 'inc'> {
    const label = KEY_TYPES.has(type) ? type : 'other'
    const key = `${name} ${label}`
    const known = this.#byType.get(key)
    const labelled = known ?? this.#keys[name].labels({ type: label })
    if (known === undefined) this.#byType.set(key, labelled)
    return labelled
  }

  observe(layer: Layer, operation: string, status: Status, ms: number): void {
    quietly(() => this.#label(layer, operation, status).observe(ms / 1000))
  }

  #label(layer: Layer, operation: string, status: Status): Labelled {
    const key = `${layer} ${operation} ${status}`
    const known = this.#labelled.get(key)
    const labelled = known ?? this.#latency.labels({ operation, layer, status })
    if (known === undefined) this.#labelled.set(key, labelled)
    return labelled
  }

  observeReconciliation(ms: number): void {
    quietly(() => this.#reconciliation.observe(ms / 1000))
  }

  watchOutbox(measure: MeasureOutbox): () => void {
    const { measures } = this.#known<OutboxGauge>('outbox_depth') ?? this.#makeOutboxGauges()
    measures.add(measure)
    return () => void measures.delete(measure)
  }

  #makeOutboxGauges(): OutboxGauge {
    const measures = new Set<MeasureOutbox>()
    const measured = (pick: (measure: OutboxMeasure) => number) =>
      async function (this: Gauge) {
        const measure = await [...measures].at(-1)?.()
        this.set(measure === undefined ? Number.NaN : pick(measure))
      }
    this.#gauge(
      'outbox_oldest_age_seconds',
      OUTBOX_GAUGES.outbox_oldest_age_seconds,
      measured(({ oldestAgeMs }) => oldestAgeMs / 1000),
    )
    this.#gauge(
      'outbox_largest_depth',
      OUTBOX_GAUGES.outbox_largest_depth,
      measured(({ largestDepth }) => largestDepth),
    )
    const depth = this.#gauge(
      'outbox_depth',
      OUTBOX_GAUGES.outbox_depth,
      measured(({ depth }) => depth),
    )
    return Object.assign(depth, { measures })
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[] = []): Counter<L> {
    return (
      this.#known<Counter<L>>(name) ??
      new this.#prom.Counter({ name: PREFIX + name, help, labelNames, registers: [this.registry] })
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
    return new this.#prom.Gauge({
      name: PREFIX + name,
      help,
      registers: [this.registry],
      ...(collect && { collect }),
    })
  }

  /** The metric that another store has put into the same registry. */
  #known<M>(name: string): M | undefined {
    return this.registry.getSingleMetric(PREFIX + name) as M | undefined
  }
}

function mapValues<K extends string, V>(
  helps: Readonly<Record<K, string>>,
  make: (name: K, help: string) => V,
): Record<K, V> {
  const entries = Object.entries<string>(helps).map(([name, help]) => [name, make(name as K, help)])
  return Object.fromEntries(entries)
}
