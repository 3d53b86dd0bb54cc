import { type CodecOptions, createCodec } from '../codec/codec.js'
import { Keyring } from '../codec/keyring.js'
import { InvalidOptionError } from '../errors.js'
import {
  type CommonOptions,
  toCacheBytes,
  toKeepMs,
  toLeaseMs,
  toLogger,
  toRetryPolicy,
  toTtlMs,
} from '../input/options.js'
import { createMetrics, NO_METRICS } from '../metrics.js'
import { toQuietLogger } from '../quietly.js'
import type { StoreParts } from './codec-store.js'
import { createTracer, Observer } from './observer.js'
import { checkPlaintext } from './plaintext.js'

export type StoreSettings = Omit<StoreParts, 'backend' | 'memory' | 'observer'> & { observer: Observer }

/** The default life of a session in the stores with a server. */
export const DEFAULT_TTL_SECONDS = 30 * 24 * 60 * 60

/**
 * Turns the options that all stores share into a store's settings. Throws `INVALID_OPTION` and `MISSING_DEPENDENCY`.
 */
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
    keepMs: toKeepMs(options),
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

const DAY_MS = 24 * 60 * 60 * 1000

export function toCodecOptions(options: CommonOptions, now: () => number = Date.now): CodecOptions {
  const { security = {} } = options
  const keyring = toKeyring(options)
  const isEncrypted = security.enableEncryption ?? keyring !== null
  if (isEncrypted && keyring === null) {
    throw new InvalidOptionError(
      '"security.enableEncryption" needs a "masterKey" of 64 hex characters; make one with: openssl rand -hex 32',
    )
  }
  const days = security.keyRotationDays ?? 90
  return {
    cipher: isEncrypted ? (security.encryptionAlgorithm ?? 'aes-256-gcm') : 'none',
    compression: security.enableCompression ? (security.compressionAlgorithm ?? 'snappy') : 'none',
    keyring,
    rotationMs: days === 0 || days === Number.POSITIVE_INFINITY ? null : days * DAY_MS,
    allowPlaintext: security.allowPlaintext ?? false,
    now,
  }
}

function toKeyring({ masterKey: single, masterKeys }: CommonOptions): Keyring | null {
  if (single !== undefined && masterKeys !== undefined) {
    throw new InvalidOptionError('Give "masterKey" or "masterKeys", not both.')
  }
  const [first, ...older] = masterKeys ?? (single === undefined ? [] : [single])
  return first === undefined ? null : new Keyring([first, ...older])
}
