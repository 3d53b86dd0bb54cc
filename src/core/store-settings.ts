import { createCodec } from './codec.js'
import type { StoreParts } from './codec-store.js'
import { createMetrics, NO_METRICS } from './metrics.js'
import { createTracer, Observer } from './observer.js'
import {
  type CommonOptions,
  toCacheBytes,
  toCodecOptions,
  toLeaseMs,
  toLogger,
  toRetryPolicy,
  toTtlMs,
} from './options.js'
import { checkPlaintext } from './plaintext.js'
import { toQuietLogger } from './quietly.js'

export type StoreSettings = Omit<StoreParts, 'backend' | 'memory' | 'observer'> & { observer: Observer }

/** What the options that all stores share make of one. Throws `INVALID_OPTION` and `MISSING_DEPENDENCY`. */
export async function toSettings(options: CommonOptions, defaultTtlSeconds: number): Promise<StoreSettings> {
  const {
    enableMetrics = true,
    enableTracing = false,
    enableDetailedLogs = false,
    metricsRegistry,
  } = options.observability ?? {}
  const codecOptions = toCodecOptions(options)
  const logger = toQuietLogger(toLogger(options))
  if (codecOptions.cipher === 'none') checkPlaintext(options, logger)
  return {
    codec: await createCodec(codecOptions),
    retry: toRetryPolicy(options),
    ttlMs: toTtlMs(options, defaultTtlSeconds),
    leaseMs: toLeaseMs(options),
    cacheBytes: toCacheBytes(options),
    logger,
    observer: new Observer({
      metrics: enableMetrics ? await createMetrics(metricsRegistry) : NO_METRICS,
      logger,
      isDetailed: enableDetailedLogs,
      tracer: enableTracing ? await createTracer(logger) : undefined,
    }),
  }
}
