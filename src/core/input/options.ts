import type { Registry } from 'prom-client'
import * as v from 'valibot'
import { consoleLogger, LEVELS, type Logger, nullLogger } from '../logger.js'
import type { RetryPolicy } from '../retry.js'

/** Encryption, compression and the logger. */
export interface SecurityOptions {
  /**
   * Default: `true` with a master key, else `false`, and the first such store of a process warns. `true` without a
   * master key is refused. An explicit `false` stores new values in the clear and does not warn; a master key then only
   * reads.
   */
  enableEncryption?: boolean | undefined
  /** Compress values above 512 bytes if that makes them smaller. Default `false`. */
  enableCompression?: boolean | undefined
  /** Default `aes-256-gcm`. Values written with the other one stay readable. */
  encryptionAlgorithm?: 'aes-256-gcm' | 'secretbox' | undefined
  /** Default `snappy`. Values written with the other one stay readable. */
  compressionAlgorithm?: 'snappy' | 'gzip' | undefined
  /** Days until new values get another data key; default 90; 0 or Infinity: never. Old values need no rewriting. */
  keyRotationDays?: number | undefined
  /** Read values that were stored before encryption was turned on. Default `false`: the store refuses them. */
  allowPlaintext?: boolean | undefined
  /** The logger for warnings and errors; default none. Pino, Baileys' logger and `console` fit. */
  logger?: Logger | undefined
  /** Without a `logger`: write to the console. Default `false`. */
  enableDebugLogging?: boolean | undefined
  /** In `production`, a `masterKey` given as `undefined` is refused; otherwise the store only warns. */
  environment?: 'development' | 'production' | 'test' | undefined
}

/** Metrics, traces and detailed logs. */
export interface ObservabilityOptions {
  /** Count and measure; default `true`. */
  enableMetrics?: boolean | undefined
  /** The registry for the metrics; default a new one for each store. Several stores may share one. */
  metricsRegistry?: Registry | undefined
  /** Milliseconds for which a count of all outboxes stays valid (hybrid); default 60,000. */
  metricsInterval?: number | undefined
  /** A span for each operation, through `@opentelemetry/api`; default `false`. */
  enableTracing?: boolean | undefined
  /** A line at level `debug` for each operation; default `false`. */
  enableDetailedLogs?: boolean | undefined
}

/** The deadline of a call, and how it is repeated while the database is away. */
export interface ResilienceOptions {
  /**
   * Milliseconds for one call, including its retries; default 5,000. After that it throws `TIMEOUT`. A call that changes
   * more than 1,000 keys has as much once more for each further 1,000.
   */
  operationTimeout?: number | undefined
  /** Most retries of a call that found the store unavailable; default 3. */
  maxRetries?: number | undefined
  /** The longest wait before the first retry, in milliseconds; waits have full jitter. Default 100. */
  retryBaseDelay?: number | undefined
  /** The factor from each wait to the next, 1 or more; default 2. */
  retryMultiplier?: number | undefined
}

/**
 * The life of a session after its last activity, in seconds; 0 or Infinity is for ever. A session expires as a whole:
 * the longest of the three values given counts for all of it. An open hook keeps its session alive.
 */
export interface TtlOptions {
  /** Seconds; default: for ever in SQLite, 2,592,000 (30 days) elsewhere. 0 or Infinity: for ever. */
  defaultTtl?: number | undefined
  /** Like `defaultTtl`: the longest value given counts for creds and keys together. */
  credsTtl?: number | undefined
  /** Like `credsTtl`. */
  keysTtl?: number | undefined
  /** Seconds that the lease of `ownership: 'exclusive'` lasts without renewal; default 5, from 1 to 86,400. */
  lockTtl?: number | undefined
}

/** What becomes of deleted sessions. */
export interface TrashOptions {
  /** Seconds for which a deleted session can be restored; default 86,400. 0: not at all. Infinity: until it is purged. */
  keepSeconds?: number | undefined
}

/** The memory for values that owners have read and written. */
export interface CacheOptions {
  /** Most bytes of the cache, for all sessions together; default 64 MiB. */
  maxBytes?: number | undefined
}

/** The options of every store. */
export interface CommonOptions {
  /**
   * 64 hex characters: the key for new values. The library never makes one up and never derives one from other text.
   */
  masterKey?: string | undefined
  /** Instead of `masterKey`, for rotation: the first key writes, all keys read. */
  masterKeys?: readonly string[] | undefined
  /** Encryption, compression and the logger. */
  security?: SecurityOptions | undefined
  /** The deadline of a call, and how it is repeated. */
  resilience?: ResilienceOptions | undefined
  /** How long sessions live, in seconds. */
  ttl?: TtlOptions | undefined
  /** How long deleted sessions can be restored. */
  trash?: TrashOptions | undefined
  /** Metrics, traces and detailed logs. */
  observability?: ObservabilityOptions | undefined
  /**
   * Keep in memory what the owner of a session has read and written; on by default. The stores of a connection share
   * the cache; the first one decides its size. `false`: this store reads everything from the database.
   */
  cache?: CacheOptions | false | undefined
}

function isLogger(value: unknown): boolean {
  return LEVELS.every(level => typeof (value as Partial<Logger> | null)?.[level] === 'function')
}

function isRegistry(value: unknown): boolean {
  return typeof (value as Partial<Registry> | null)?.registerMetric === 'function'
}

export const flag = v.optional(v.boolean('true or false'))
const seconds = v.optional(
  v.pipe(v.number('a number of seconds'), v.minValue(0, 'a number of seconds, 0 or more')),
)
/** A stored lease with a later end is damaged. */
export const MAX_LEASE_MS = 24 * 60 * 60 * 1000
const LEASE = 'a number of seconds from 1 to 86,400'
const leaseSeconds = v.optional(
  v.pipe(v.number(LEASE), v.minValue(1, LEASE), v.maxValue(MAX_LEASE_MS / 1000, LEASE)),
)
const milliseconds = v.optional(
  v.pipe(
    v.number('a number of milliseconds'),
    v.finite('a finite number of milliseconds'),
    v.minValue(1, 'a positive number of milliseconds'),
  ),
)
const MASTER_KEY = '64 hex characters (openssl rand -hex 32)'
const masterKey = v.pipe(v.string(MASTER_KEY), v.regex(/^[0-9a-fA-F]{64}$/, MASTER_KEY))

const MAX_MASTER_KEYS = 1000
const FEW_KEYS = `a list of at most ${MAX_MASTER_KEYS} keys`

const MIN_CACHE_BYTES = 1024
const CACHE = 'a whole number of bytes, 1024 or more'
const DEFAULT_CACHE_BYTES = 64 * 1024 * 1024

/** The schema of `CommonOptions`: each message completes `"<option>" must be …`. */
export const commonOptions = {
  masterKey: v.optional(masterKey),
  masterKeys: v.optional(
    v.pipe(
      // Looked at first: `v.array` walks a list of any length.
      v.custom<unknown[]>(keys => !Array.isArray(keys) || keys.length <= MAX_MASTER_KEYS, FEW_KEYS),
      v.array(masterKey, 'a list of keys, [newKey, oldKey]'),
      v.minLength(1, 'a list of at least one key'),
    ),
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
          v.pipe(
            v.number('a whole number'),
            v.integer('a whole number'),
            v.minValue(0, 'a whole number, 0 or more'),
          ),
        ),
        retryBaseDelay: milliseconds,
        retryMultiplier: v.optional(
          v.pipe(v.number('a number'), v.finite('a finite number'), v.minValue(1, 'a number, 1 or more')),
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
          maxBytes: v.optional(v.pipe(v.number(CACHE), v.integer(CACHE), v.minValue(MIN_CACHE_BYTES, CACHE))),
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
  trash: v.optional(v.strictObject({ keepSeconds: seconds }, 'an object')),
}

export function toRetryPolicy({ resilience = {} }: CommonOptions): RetryPolicy {
  return {
    timeoutMs: resilience.operationTimeout ?? 5000,
    maxRetries: resilience.maxRetries ?? 3,
    baseDelayMs: resilience.retryBaseDelay ?? 100,
    multiplier: resilience.retryMultiplier ?? 2,
  }
}

/** A longer life is for ever: databases count in 64 bits, and dates end earlier. */
const MAX_LIFE_SECONDS = 100 * 365 * 24 * 60 * 60

/** Converts a life in seconds; 0 and Infinity are for ever, which is `null`. */
export function secondsToMs(seconds: number): number | null {
  return seconds === 0 || seconds > MAX_LIFE_SECONDS ? null : Math.ceil(seconds * 1000)
}

/** The longest of the lives given; `null` is for ever. */
export function toTtlMs({ ttl = {} }: CommonOptions, defaultSeconds: number): number | null {
  const given = [ttl.defaultTtl, ttl.credsTtl, ttl.keysTtl].filter(value => value !== undefined)
  const lives = (given.length === 0 ? [defaultSeconds] : given).map(secondsToMs)
  return lives.includes(null) ? null : Math.max(...(lives as number[]))
}

const DEFAULT_KEEP_SECONDS = 24 * 60 * 60

/** `null` is for ever; 0: deleted sessions are not kept. */
export function toKeepMs({ trash = {} }: CommonOptions): number | null {
  const { keepSeconds = DEFAULT_KEEP_SECONDS } = trash
  return keepSeconds === 0 ? 0 : secondsToMs(keepSeconds)
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
  const { logger = security.enableDebugLogging ? console : nullLogger } = security
  return (logger as object) === console ? consoleLogger : logger
}
