import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parseHybridOptions } from '../../src/hybrid/hybrid-options.js'
import { useHybridAuthState } from '../../src/hybrid/index.js'
import { useMongoAuthState } from '../../src/mongodb/index.js'
import { parseMongoOptions } from '../../src/mongodb/mongo-options.js'
import { useRedisAuthState } from '../../src/redis/index.js'
import { parseRedisOptions } from '../../src/redis/redis-options.js'
import { useSqliteAuthState } from '../../src/sqlite/index.js'
import { parseSqliteOptions } from '../../src/sqlite/sqlite-options.js'

/** Each has a part that no message may have. */
const SECRETS: [what: string, value: unknown, part: string][] = [
  ['a URL with a password', 'redis://:s3cr3tPass@localhost:6379', 's3cr3tPass'],
  ['a URL of MongoDB', 'mongodb+srv://user:s3cr3tPass@cluster.example/x', 's3cr3tPass'],
  ['a URL without a scheme', 'user:s3cr3tPass@localhost', 's3cr3tPass'],
  ['a master key', 'c0ffee'.repeat(11).slice(0, 64), 'c0ffee'],
  ['a password', 'correct#Horse1', 'Horse1'],
  ['a phone number', '5511987654321', '987654'],
  ['a phone number as a number', 5511987654321, '987654'],
  ['a phone number as a bigint', 5511987654321n, '987654'],
  ['a symbol', Symbol('s3cr3tPass'), 's3cr3tPass'],
  ['a list', ['redis://:s3cr3tPass@localhost'], 's3cr3tPass'],
]

/** Options that a person may take for the right place; `''` is the place of all options. */
const PLACES = [
  ...[
    '',
    'redis',
    'redisUrl',
    'redisOptions',
    'host',
    'port',
    'username',
    'password',
    'db',
    'tls',
    'mongoUrl',
  ],
  ...[
    'mongoOptions',
    'mongoClient',
    'masterKey',
    'masterKeys',
    'security',
    'security.logger',
    'resilience',
    'ttl',
  ],
  ...['security.environment', 'security.encryptionAlgorithm', 'security.enableEncryption', 'ttl.credsTtl'],
  ...['resilience.maxRetries', 'observability', 'observability.metricsRegistry', 'cache', 'cache.maxBytes'],
  ...['queue', 'enableWriteBehind', 'outbox.maxEntries', 'synchronous', 'noSuchOption', 'security.masterKey'],
]

function at(place: string, value: unknown): unknown {
  return place === ''
    ? value
    : place.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value)
}

/** The error, if the options are refused; a text may be right there. */
function refusalOf(parse: (options: never) => unknown, options: unknown): unknown {
  try {
    parse(options as never)
    return undefined
  } catch (error) {
    return error
  }
}

const STORES = [
  ['sqlite', parseSqliteOptions],
  ['redis', parseRedisOptions],
  ['mongodb', parseMongoOptions],
  ['hybrid', parseHybridOptions],
] as const

describe.each(STORES)('the options of %s', (_name, parse) => {
  test.each(SECRETS)('refuse %s in a wrong place without showing it', (_what, value, part) => {
    const refusals = PLACES.map(place => refusalOf(parse, at(place, value))).filter(Boolean)
    expect(refusals.length).toBeGreaterThan(10)
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ code: 'INVALID_OPTION' })
      expect(inspect(refusal, { depth: 9, showHidden: true })).not.toContain(part)
    }
  })

  test.each(SECRETS)('refuse %s as the name of an option without showing it', (_what, value, part) => {
    const name = String(
      Array.isArray(value) ? value[0] : typeof value === 'symbol' ? value.description : value,
    )
    for (const options of [{ [name]: 1 }, { security: { [name]: 1 } }]) {
      const refusal = refusalOf(parse, options)
      expect(refusal).toMatchObject({ code: 'INVALID_OPTION' })
      if (/[^A-Za-z]/.test(name)) expect(inspect(refusal, { depth: 9, showHidden: true })).not.toContain(part)
    }
  })
})

const HOOKS = { useSqliteAuthState, useRedisAuthState, useMongoAuthState, useHybridAuthState }

describe.each(Object.entries(HOOKS))('%s', (_name, hook) => {
  test.each(SECRETS)('refuses %s in a wrong place without showing it', async (_what, value, part) => {
    const others = ['sqlite', 'redis', 'mongodb', 'hybrid', 'store', 'onRewind', 'ownership', 'resetIdentity']
    const given = [value, ...others.map(place => ({ sessionId: 's', [place]: value })), { sessionId: value }]
    for (const options of given) {
      const refusal = await (hook as (options: unknown) => Promise<{ close(): Promise<void> }>)(options).then(
        state => state.close(),
        (error: unknown) => error,
      )
      if (refusal) expect(inspect(refusal, { depth: 9, showHidden: true })).not.toContain(part)
    }
  })
})
