import type { Registry } from 'prom-client'
import * as v from 'valibot'
import { type Logger, nullLogger } from './logger.js'
import type { RetryPolicy } from './retry.js'

export interface SecurityOptions {
  /**
   * Default: `true` where a master key is given, else `false`, of which the first such store of a process warns.
   * `true` without a master key is refused; `false` that is written out is not warned of.
   */
  enableEncryption?: boolean | undefined
  /** Compress values above 512 bytes, where it makes them smaller. Default `false`. */
  enableCompression?: boolean | undefined
  /** Default `aes-256-gcm`. What was written with the other one stays readable. */
  encryptionAlgorithm?: 'aes-256-gcm' | 'secretbox' | undefined
  /** Default `snappy`. What was written with the other one stays readable. */
  compressionAlgorithm?: 'snappy' | 'gzip' | undefined
  /** Days until new values get another data key; default 90; 0 or Infinity: never. No value has to be rewritten. */
  keyRotationDays?: number | undefined
  /** Read values that were stored before encryption was turned on. Default `false`: they are refused. */
  allowPlaintext?: boolean | undefined
  /** Where warnings and errors go; default nowhere. Pino and Baileys' logger fit. */
  logger?: Logger | undefined
  /** Without a `logger`: write everything to the console. Default `false`. */
  enableDebugLogging?: boolean | undefined
  /** In `production` a `masterKey` that is given as `undefined` is refused, not only warned of. */
  environment?: 'development' | 'production' | 'test' | undefined
}

export interface ObservabilityOptions {
  /** Count and measure; default `true`. */
  enableMetrics?: boolean | undefined
  /** Where the metrics are registered; default a registry of the store's own. Several stores may share one. */
  metricsRegistry?: Registry | undefined
  /** Milliseconds for which a count of all outboxes is good (hybrid); default 60,000. */
  metricsInterval?: number | undefined
  /** A span for each operation, by `@opentelemetry/api`; default `false`. */
  enableTracing?: boolean | undefined
  /** A line at level `debug` for each operation; default `false`. */
  enableDetailedLogs?: boolean | undefined
}

export interface ResilienceOptions {
  /** Milliseconds for one call, its retries included; default 5,000. Then it throws `TIMEOUT`. */
  operationTimeout?: number | undefined
  /** How often a call that found the store unavailable is repeated; default 3. */
  maxRetries?: number | undefined
  /** Milliseconds before the first retry, at the most: waits have full jitter. Default 100. */
  retryBaseDelay?: number | undefined
  /** What each further wait is multiplied by; default 2. */
  retryMultiplier?: number | undefined
}

/**
 * Seconds that a session lives after its last activity; 0 or Infinity is for ever. A session never expires in part:
 * the longest of the three given counts for all of it. An open hook keeps its session alive.
 */
export interface TtlOptions {
  /** Seconds; default: for ever in SQLite, 2,592,000 (30 days) elsewhere. 0 or Infinity: for ever. */
  defaultTtl?: number | undefined
  /** As `defaultTtl`: the longest of those that are given counts for creds and keys together. */
  credsTtl?: number | undefined
  /** As `credsTtl`. */
  keysTtl?: number | undefined
  /** Seconds that the lease of `ownership: 'exclusive'` lasts without being renewed; default 5, from 1 to 86,400. */
  lockTtl?: number | undefined
}

export interface CacheOptions {
  /** Most bytes that it may take, for all sessions together; default 64 MiB. */
  maxBytes?: number | undefined
}

/** What every store takes. */
export interface CommonOptions {
  /** 64 hex characters. New values are encrypted with it. Never made up, never derived from another string. */
  masterKey?: string | undefined
  /** Instead of `masterKey`, for rotation: the first one writes, all read. */
  masterKeys?: readonly string[] | undefined
  security?: SecurityOptions | undefined
  resilience?: ResilienceOptions | undefined
  ttl?: TtlOptions | undefined
  observability?: ObservabilityOptions | undefined
  /**
   * What the owner of a session has read and written stays in memory; on by default. Shared by the stores of a
   * connection, the first of which decides how large it is. `false`: this store reads everything from the database.
   */
  cache?: CacheOptions | false | undefined
}

function isLogger(value: unknown): boolean {
  const levels = ['debug', 'info', 'warn', 'error'] as const
  return levels.every(level => typeof (value as Partial<Logger> | null)?.[level] === 'function')
}

function isRegistry(value: unknown): boolean {
  return typeof (value as Partial<Registry> | null)?.registerMetric === 'function'
}

export const flag = v.optional(v.boolean('true or false'))
const seconds = v.optional(
  v.pipe(v.number('a number of seconds'), v.minValue(0, 'a number of seconds, 0 or more')),
)
/** A stored lease that ends later is damage. */
export const MAX_LEASE_MS = 24 * 60 * 60 * 1000
const LEASE = 'a number of seconds from 1 to 86,400'
const leaseSeconds = v.optional(
  v.pipe(v.number(LEASE), v.minValue(1, LEASE), v.maxValue(MAX_LEASE_MS / 1000, LEASE)),
)
const milliseconds = v.optional(
  v.pipe(
    v.number('a number of milliseconds'),
    v.finite('finite'),
    v.minValue(1, 'a positive number of milliseconds'),
  ),
)
const MASTER_KEY = '64 hex characters (openssl rand -hex 32)'
const masterKey = v.pipe(v.string(MASTER_KEY), v.regex(/^[0-9a-fA-F]{64}$/, MASTER_KEY))

const MIN_CACHE_BYTES = 1024
const DEFAULT_CACHE_BYTES = 64 * 1024 * 1024

/** Schema of `CommonOptions`: each message completes `"<option>" must be …`. */
export const commonOptions = {
  masterKey: v.optional(masterKey),
  masterKeys: v.optional(
    v.pipe(v.array(masterKey, 'a list of keys'), v.minLength(1, 'a list of at least one key')),
  ),
  security: v.optional(
    v.strictObject(
      {
        enableEncryption: flag,
        enableCompression: flag,
        encryptionAlgorithm: v.optional(
          v.picklist(['aes-256-gcm', 'secretbox'], '"aes-256-gcm" or "secretbox"'),
        ),
        compressionAlgorithm: v.optional(v.picklist(['snappy', 'gzip'], '"snappy" or "gzip"')),
        keyRotationDays: v.optional(
          v.pipe(
            v.number('a number of days'),
            v.check(days => days === 0 || days >= 1, '1 day or more, 0 or Infinity'),
          ),
        ),
        allowPlaintext: flag,
        logger: v.optional(v.custom<Logger>(isLogger, 'an object with debug, info, warn and error')),
        enableDebugLogging: flag,
        environment: v.optional(
          v.picklist(['development', 'production', 'test'], '"development", "production" or "test"'),
        ),
      },
      'an object',
    ),
  ),
  resilience: v.optional(
    v.strictObject(
      {
        operationTimeout: milliseconds,
        maxRetries: v.optional(
          v.pipe(v.number('a whole number'), v.integer('a whole number'), v.minValue(0, '0 or more')),
        ),
        retryBaseDelay: milliseconds,
        retryMultiplier: v.optional(
          v.pipe(v.number('a number'), v.finite('finite'), v.minValue(1, '1 or more')),
        ),
      },
      'an object',
    ),
  ),
  observability: v.optional(
    v.strictObject(
      {
        enableMetrics: flag,
        metricsRegistry: v.optional(v.custom<Registry>(isRegistry, 'a Registry of prom-client')),
        metricsInterval: milliseconds,
        enableTracing: flag,
        enableDetailedLogs: flag,
      },
      'an object',
    ),
  ),
  cache: v.optional(
    v.union(
      [
        v.literal(false),
        v.strictObject({
          maxBytes: v.optional(v.pipe(v.number(), v.integer(), v.minValue(MIN_CACHE_BYTES))),
        }),
      ],
      `false, or { maxBytes } of ${MIN_CACHE_BYTES} bytes or more`,
    ),
  ),
  ttl: v.optional(
    v.strictObject(
      { defaultTtl: seconds, credsTtl: seconds, keysTtl: seconds, lockTtl: leaseSeconds },
      'an object',
    ),
  ),
}

export function toRetryPolicy({ resilience = {} }: CommonOptions): RetryPolicy {
  return {
    timeoutMs: resilience.operationTimeout ?? 5000,
    maxRetries: resilience.maxRetries ?? 3,
    baseDelayMs: resilience.retryBaseDelay ?? 100,
    multiplier: resilience.retryMultiplier ?? 2,
  }
}

/** Longer than that is for ever: databases count in 64 bits, and dates end before. */
const MAX_LIFE_SECONDS = 100 * 365 * 24 * 60 * 60

/** Seconds that a session lives, as milliseconds; 0 and Infinity are for ever, which is `null`. */
export function secondsToMs(seconds: number): number | null {
  return seconds === 0 || seconds > MAX_LIFE_SECONDS ? null : Math.ceil(seconds * 1000)
}

/** The longest of the given ones; `null` is for ever. */
export function toTtlMs({ ttl = {} }: CommonOptions, defaultSeconds: number): number | null {
  const given = [ttl.defaultTtl, ttl.credsTtl, ttl.keysTtl].filter(value => value !== undefined)
  const lives = (given.length === 0 ? [defaultSeconds] : given).map(secondsToMs)
  return lives.includes(null) ? null : Math.max(...(lives as number[]))
}

const DEFAULT_LEASE_SECONDS = 5

export function toLeaseMs({ ttl = {} }: CommonOptions): number {
  return (ttl.lockTtl ?? DEFAULT_LEASE_SECONDS) * 1000
}

/** `null`: there is no cache. */
export function toCacheBytes({ cache = {} }: CommonOptions): number | null {
  return cache === false ? null : (cache.maxBytes ?? DEFAULT_CACHE_BYTES)
}

export function toLogger({ security = {} }: CommonOptions): Logger {
  return security.logger ?? (security.enableDebugLogging ? console : nullLogger)
}
