import { describe, expect, it } from 'vitest'
import { toLogger, toRetryPolicy, toTtlMs } from '../../src/core/input/options.js'
import { nullLogger } from '../../src/core/logger.js'
import { toCodecOptions } from '../../src/core/store/store-settings.js'
import { parseHybridOptions } from '../../src/hybrid/hybrid-options.js'
import { parseMongoOptions } from '../../src/mongodb/mongo-options.js'
import { parseRedisOptions } from '../../src/redis/redis-options.js'
import { parseSqliteOptions, type SqliteOptions } from '../../src/sqlite/sqlite-options.js'
import { catchError } from '../support/catch-error.js'
import { DAY_MS, MASTER_KEY, OTHER_KEY } from '../support/test-codec.js'

const parse = (options: object) => parseSqliteOptions({ path: 'a.db', ...options } as SqliteOptions)
const refusal = async (options: object) => (await catchError('INVALID_OPTION', () => parse(options))).message

it.each(['toString', 'constructor', 'hasOwnProperty'])('an option that is called %s is refused', name => {
  const parse = () => parseSqliteOptions({ path: 'a.db', [name]: 1 } as object)
  expect(parse).toThrow(`"sqlite.${name}" is not an option`)
})

describe('a faulty option is named with its path, the expected value and the given one', () => {
  it.each<[object, string]>([
    [{ ttl: { credsTtl: '1h' } }, '"sqlite.ttl.credsTtl" must be a number of seconds, got "1h"'],
    [{ ttl: { defaultTtl: -1 } }, '"sqlite.ttl.defaultTtl" must be a number of seconds, 0 or more, got -1'],
    [{ ttl: { keysTtl: Number.NaN } }, '"sqlite.ttl.keysTtl" must be a number of seconds, got NaN'],
    [{ ttl: 60 }, '"sqlite.ttl" must be an object, got 60'],
    [{ resilience: { maxRetries: 1.5 } }, '"sqlite.resilience.maxRetries" must be a whole number, got 1.5'],
    [
      { resilience: { maxRetries: -1 } },
      '"sqlite.resilience.maxRetries" must be a whole number, 0 or more, got -1',
    ],
    [
      { resilience: { operationTimeout: 0 } },
      '"sqlite.resilience.operationTimeout" must be a positive number of milliseconds, got 0',
    ],
    [
      { resilience: { operationTimeout: Number.POSITIVE_INFINITY } },
      '"sqlite.resilience.operationTimeout" must be a finite number of milliseconds, got Infinity',
    ],
    [
      { resilience: { retryBaseDelay: '1s' } },
      '"sqlite.resilience.retryBaseDelay" must be a number of milliseconds, got "1s"',
    ],
    [
      { resilience: { retryMultiplier: 0.5 } },
      '"sqlite.resilience.retryMultiplier" must be a number, 1 or more, got 0.5',
    ],
    [
      { security: { enableEncryption: 'yes' } },
      '"sqlite.security.enableEncryption" must be true or false, got "yes"',
    ],
    [
      { security: { enableCompression: 1 } },
      '"sqlite.security.enableCompression" must be true or false, got 1',
    ],
    [
      { security: { allowPlaintext: null } },
      '"sqlite.security.allowPlaintext" must be true or false, got null',
    ],
    [
      { security: { encryptionAlgorithm: 'aes' } },
      '"sqlite.security.encryptionAlgorithm" must be "aes-256-gcm" or "secretbox", got "aes"',
    ],
    [
      { security: { compressionAlgorithm: 'zstd' } },
      '"sqlite.security.compressionAlgorithm" must be "snappy" or "gzip", got "zstd"',
    ],
    [
      { security: { keyRotationDays: 0.5 } },
      '"sqlite.security.keyRotationDays" must be 1 day or more, 0 or Infinity, got 0.5',
    ],
    [
      { security: { keyRotationDays: -1 } },
      '"sqlite.security.keyRotationDays" must be 1 day or more, 0 or Infinity, got -1',
    ],
    [
      { security: { logger: { warn() {} } } },
      '"sqlite.security.logger" must be an object with debug, info, warn and error, got Object',
    ],
    [{ synchronous: 'off' }, '"sqlite.synchronous" must be "full" or "normal", got "off"'],
    [{ path: '' }, '"sqlite.path" must be the path of a file, got ""'],
  ])('%j', async (options, message) => {
    expect(await refusal(options)).toBe(message)
  })

  it.each([undefined, null, 'a.db'])('options that are %s', async options => {
    const { message } = await catchError('INVALID_OPTION', () => parseSqliteOptions(options as never))
    expect(message).toMatch(/^"sqlite" (is missing|must be an object)/)
  })

  it('a path and a database, or neither', async () => {
    const message = '"sqlite" must have either a "path" or a "database".'
    expect(await refusal({ path: undefined })).toBe(message)
    const database = { exec: () => {}, prepare: () => {} }
    expect(await refusal({ database })).toBe(message)
    expect(await refusal({ path: undefined, database: {} })).toMatch(/^"sqlite.database" must be a database/)
  })
})

describe('the option of another store is refused with the name of that store', () => {
  it.each<[(options: never) => unknown, string, string]>([
    [parseSqliteOptions, 'redisUrl', 'it belongs to the Redis and the hybrid store.'],
    [parseSqliteOptions, 'host', 'it belongs to the Redis store.'],
    [parseRedisOptions, 'path', 'it belongs to the SQLite store.'],
    [parseRedisOptions, 'mongoUrl', 'it belongs to the MongoDB and the hybrid store.'],
    [parseMongoOptions, 'enableWriteBehind', 'it belongs to the hybrid store.'],
    [parseHybridOptions, 'synchronous', 'it belongs to the SQLite store.'],
    [parseHybridOptions, 'collection', 'did you mean "mongoCollection"?'],
  ])('%o: %s', (parse, name, advice) => {
    expect(() => parse({ [name]: 1 } as never)).toThrow(`${name}" is not an option; ${advice}`)
  })
})

describe('an unknown option is refused with the nearest known name', () => {
  it.each([
    [{ masterkey: 'x' }, 'sqlite.masterkey', 'masterKey'],
    [{ pathh: 'x' }, 'sqlite.pathh', 'path'],
    [{ security: { enableEncrypton: true } }, 'sqlite.security.enableEncrypton', 'enableEncryption'],
    [{ resilience: { maxRetry: 1 } }, 'sqlite.resilience.maxRetry', 'maxRetries'],
    [{ ttl: { keyTtl: 1 } }, 'sqlite.ttl.keyTtl', 'keysTtl'],
  ])('%j', async (options, name, nearest) => {
    expect(await refusal(options)).toBe(`"${name}" is not an option; did you mean "${nearest}"?`)
  })
})

describe('master keys', () => {
  it.each<[string, object]>([
    ['too short', { masterKey: MASTER_KEY.slice(2) }],
    ['too long', { masterKey: `${MASTER_KEY}00` }],
    ['not hex', { masterKey: 'z'.repeat(64) }],
    ['a passphrase', { masterKey: 'correct horse battery staple' }],
    ['bytes', { masterKey: Buffer.alloc(32) }],
    ['a list with one that is too short', { masterKeys: [OTHER_KEY, MASTER_KEY.slice(2)] }],
  ])('of this kind are refused and not shown: %s', async (_what, options) => {
    const message = await refusal(options)
    expect(message).toMatch(
      /^"sqlite\.masterKeys?(\.1)?" must be 64 hex characters \(openssl rand -hex 32\), got (Buffer|\d+ characters(, not all of them hex)?)$/,
    )
  })

  it('in an empty list are refused', async () => {
    expect(await refusal({ masterKeys: [] })).toBe('"sqlite.masterKeys" must be a list of at least one key')
  })

  it('refuses too many keys without a look at them', async () => {
    const keys = new Proxy(new Array(1001), {
      get: (list, name) => (name === 'length' ? list.length : expect.fail()),
    })
    expect(await refusal({ masterKeys: keys })).toBe(
      '"sqlite.masterKeys" must be a list of at most 1000 keys',
    )
  })

  it('in both options at once are refused', async () => {
    const both = { masterKey: MASTER_KEY, masterKeys: [OTHER_KEY] }
    const { message } = await catchError('INVALID_OPTION', () => toCodecOptions(both))
    expect(message).toBe('Give "masterKey" or "masterKeys", not both.')
  })

  it('are required by enableEncryption, whatever the environment', async () => {
    const security = { enableEncryption: true }
    const { message } = await catchError('INVALID_OPTION', () => toCodecOptions({ security }))
    expect(message).toContain('"security.enableEncryption" needs a "masterKey"')
    expect(message).toContain('openssl rand -hex 32')
  })

  it('may be written in capital letters', () => {
    const ids = [MASTER_KEY, MASTER_KEY.toUpperCase()].map(
      masterKey => toCodecOptions(parse({ masterKey })).keyring?.keyIds,
    )
    expect(ids[0]).toEqual(ids[1])
  })
})

describe('defaults are as documented', () => {
  it('encryption is off without a key, and aes-256-gcm with one, rotated every 90 days', () => {
    expect(toCodecOptions({})).toMatchObject({ cipher: 'none', keyring: null, compression: 'none' })
    expect(toCodecOptions({ masterKey: MASTER_KEY })).toMatchObject({
      cipher: 'aes-256-gcm',
      compression: 'none',
      rotationMs: 90 * DAY_MS,
      allowPlaintext: false,
      now: Date.now,
    })
  })

  it('compression is snappy when it is turned on', () => {
    expect(toCodecOptions({ security: { enableCompression: true } }).compression).toBe('snappy')
    expect(toCodecOptions({ security: { compressionAlgorithm: 'gzip' } }).compression).toBe('none')
  })

  it('encryption that is turned off still reads with the key', () => {
    const { cipher, keyring } = toCodecOptions({
      masterKey: MASTER_KEY,
      security: { enableEncryption: false },
    })
    expect(cipher).toBe('none')
    expect(keyring?.keyIds).toHaveLength(1)
  })

  it('a call takes 5 s at most, with 3 retries, from 100 ms on, doubled', () => {
    const defaults = { timeoutMs: 5000, maxRetries: 3, baseDelayMs: 100, multiplier: 2 }
    expect(toRetryPolicy({})).toEqual(defaults)
    const resilience = { operationTimeout: 1, maxRetries: 0, retryBaseDelay: 2, retryMultiplier: 1 }
    const given = { timeoutMs: 1, maxRetries: 0, baseDelayMs: 2, multiplier: 1 }
    expect(toRetryPolicy({ resilience })).toEqual(given)
  })

  it('logging is silent without a logger, and goes to a given one', () => {
    expect(toLogger({})).toBe(nullLogger)
    const logger = { ...nullLogger }
    expect(toLogger({ security: { logger } })).toBe(logger)
  })
})

describe('limits of single options', () => {
  it.each([0, Number.POSITIVE_INFINITY])('keyRotationDays %d never rotates', keyRotationDays => {
    const parsed = parse({ security: { keyRotationDays } })
    expect(toCodecOptions(parsed).rotationMs).toBeNull()
    expect(toCodecOptions(parse({ security: { keyRotationDays: 1 } })).rotationMs).toBe(DAY_MS)
  })

  it.each<[object, number | null]>([
    [{}, 60_000],
    [{ defaultTtl: 10 }, 10_000],
    [{ credsTtl: 10, keysTtl: 30, defaultTtl: 20 }, 30_000],
    [{ keysTtl: 0.5 }, 500],
    [{ defaultTtl: 0 }, null],
    [{ credsTtl: Number.POSITIVE_INFINITY }, null],
    [{ credsTtl: 0, keysTtl: 30 }, null],
  ])('ttl %j means its longest value for the whole session, where 0 and Infinity are for ever', (ttl, ms) => {
    expect(toTtlMs(parse({ ttl }), 60)).toBe(ms)
  })

  it('a store whose default is for ever has no ttl', () => {
    expect(toTtlMs(parse({}), 0)).toBeNull()
  })
})
