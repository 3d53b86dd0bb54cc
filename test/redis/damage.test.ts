import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { createRedisStore, useRedisAuthState } from '../../src/redis/index.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { sessionsOf } from '../support/sessions-of.js'

let server: RedisServer
let client: Redis
beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
})
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

const HEAD = 'baileys:auth:{damaged}:creds'
const KEYS = 'baileys:auth:{damaged}:keys'
const CORRUPT = { code: 'CORRUPT_VALUE', sessionId: 'damaged' }

async function setUp(ttlSeconds = 3600) {
  const open = () => createRedisStore({ redisUrl: server.url, cache: false, ttl: { defaultTtl: ttlSeconds } })
  const store = await open()
  onTestFinished(() => store.close())
  await client.flushall()
  for (const sessionId of ['damaged', 'sound']) {
    await store.set(sessionId, { creds: { registrationId: 7 }, keys: { session: { a: 1 } } })
  }
  return store
}

type Store = Awaited<ReturnType<typeof setUp>>

/** Every call that would write or judge the session is refused and changes nothing; another session is unharmed. */
async function expectRefused(store: Store): Promise<void> {
  const dump = async () => [await client.dumpBuffer(HEAD), await client.dumpBuffer(KEYS)]
  const before = await dump()
  await expect(store.get('damaged')).rejects.toMatchObject(CORRUPT)
  await expect(store.exists('damaged')).rejects.toMatchObject(CORRUPT)
  await expect(store.set('damaged', { keys: { session: { b: 1 } } })).rejects.toMatchObject(CORRUPT)
  await expect(store.touch('damaged')).rejects.toMatchObject(CORRUPT)
  await expect(store.claim('damaged')).rejects.toMatchObject(CORRUPT)
  await expect(store.renewLease('damaged', 8e12)).rejects.toMatchObject(CORRUPT)
  await expect(useRedisAuthState({ sessionId: 'damaged', store })).rejects.toMatchObject(CORRUPT)
  expect(await dump()).toEqual(before)
  await expectSound(store)
}

async function expectSound(store: Store): Promise<void> {
  expect(await store.get('sound')).toMatchObject({ data: { keys: { session: { a: 1 } } } })
  expect(await store.set('sound', { keys: { session: { b: 2 } } })).toMatchObject({ success: true })
  expect((await store.list()).sessionIds).toContain('sound')
}

/** The session is deleted for good: a later one of its name begins anew, and earlier owners are refused. */
async function expectDeletable(store: Store, ownerToken?: number): Promise<void> {
  await store.delete('damaged')
  expect(await store.get('damaged')).toBeNull()
  expect(await client.hlen(KEYS)).toBe(0)
  if (ownerToken !== undefined) {
    const late = store.set('damaged', { keys: { session: { a: 2 } } }, undefined, ownerToken)
    await expect(late).rejects.toMatchObject({ code: 'FENCED' })
  }
  const { fencingToken, version } = await store.claim('damaged')
  expect(version).toBeGreaterThan(0)
  await store.set('damaged', { creds: { registrationId: 8 } }, undefined, fencingToken)
  expect(await store.get('damaged')).toMatchObject({ data: { creds: { registrationId: 8 }, keys: {} } })
  await expectSound(store)
}

const NO_NUMBERS = [
  '',
  ' ',
  'nan',
  'inf',
  '-inf',
  '-1',
  '0x10',
  '1e3',
  '1.5',
  ' 5',
  '5 ',
  '5\n',
  '٣',
  '1e20',
  'text',
]
const TOO_LARGE = ['8640000000000000', '9007199254740993', '100000000000000000000', '9'.repeat(1000)]

describe('a head whose', () => {
  test.each(
    ['version', 'fence', 'updatedAt', 'expiresAt'].flatMap(member =>
      [...NO_NUMBERS, ...TOO_LARGE].map(value => [member, value.slice(0, 24), value] as const),
    ),
  )(
    '%s is "%s" is damage: nothing is overwritten, and the session can be deleted',
    async (member, _, value) => {
      const store = await setUp()
      const { fencingToken } = await store.claim('damaged')
      await client.hset(HEAD, member, value)
      await expectRefused(store)
      await expectDeletable(store, fencingToken)
    },
  )

  test.each([
    ['incarnation', 'x'.repeat(257)],
    ['incarnation', 'two words'],
    ['incarnation', Buffer.of(0xb1, 0, 0x5b, 0x5d)],
    ['journalUntil', 'nan'],
    ['journalUntil', '1e20'],
  ])('%s is invalid is damage', async (member, value) => {
    const store = await setUp()
    await client.hset(HEAD, member, value)
    await expectRefused(store)
    await expectDeletable(store)
  })

  test.each([
    ['leaseUntil', 'x'],
    ['leaseUntil', '8639999999999999'],
    ['forks', '99999999999999999999'],
  ])('%s is "%s" can be deleted also where no session is', async (member, value) => {
    const store = await setUp()
    await store.delete('damaged')
    await client.hset(HEAD, member, value)
    await store.delete('damaged')
    await expectDeletable(store)
  })

  test.each(['version', 'fence'])('%s is missing is damage', async member => {
    const store = await setUp()
    await client.hdel(HEAD, member)
    await expectRefused(store)
    await expectDeletable(store)
  })

  test.each([
    ['no line end', 'x'.repeat(100_000)],
    ['only words', 'a '.repeat(50_000)],
    ['nothing but line ends', '\n'.repeat(100_000)],
    ['a cut end', 'aaaa 1 1764000000000\nbbbb 2 17640000'],
  ])('operations have %s is damage, and is refused quickly', async (_, ops) => {
    const store = await setUp()
    await client.hset(HEAD, 'ops', ops)
    await client.config('RESETSTAT')
    await expectRefused(store)
    const longest = /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(await client.info('commandstats'))
    expect(Number(longest?.[2]) / Number(longest?.[1])).toBeLessThan(10_000)
    await expectDeletable(store)
  })

  test.each([
    ['nothing but line ends', '\n'.repeat(16_000)],
    ['no number', `${'x'.repeat(16_000)}\n`],
    ['many words', `${'a '.repeat(8000)}\n`],
  ])('operations have %s, below the bound, is handled quickly', async (_, garbage) => {
    const store = await setUp()
    const last = (await client.hget(HEAD, 'ops')) as string
    await client.hset(HEAD, 'ops', garbage)
    await expectRefused(store)
    await client.hset(HEAD, 'ops', `${last}${garbage.slice(0, 16_000)}\n`)
    await client.config('RESETSTAT')
    await store.set('damaged', { keys: { session: { a: 2 } } })
    const found = /cmdstat_evalsha:calls=(\d+),usec=(\d+)/.exec(await client.info('commandstats'))
    expect(Number(found?.[2])).toBeLessThan(20_000)
  })

  test('mark of vacancy is another text is damage', async () => {
    const store = await setUp()
    await client.hset(HEAD, 'vacant', '0')
    await expectRefused(store)
    await expectDeletable(store)
  })

  test('lease end is no instant is damage for an opener, while its owner goes on', async () => {
    const store = await setUp()
    const { fencingToken } = await store.claim('damaged', { exclusive: true })
    await client.hset(HEAD, 'leaseUntil', 'nan')
    await expect(store.claim('damaged')).rejects.toMatchObject(CORRUPT)
    await store.set('damaged', { keys: { session: { a: 3 } } }, undefined, fencingToken)
    await store.renewLease('damaged', fencingToken)
    await expect(store.claim('damaged')).rejects.toMatchObject({ code: 'SESSION_LOCKED' })
  })

  test('other members are gone beside the creds is damage, not absence', async () => {
    const store = await setUp()
    await client.hdel(HEAD, 'version', 'fence', 'updatedAt', 'ops', 'expiresAt')
    await client.del(KEYS)
    await expectRefused(store)
    await expectDeletable(store)
  })
})

describe('a copy of the head beside the keys', () => {
  test.each(['@version', '@fence', '@updatedAt', '@expiresAt'])(
    'whose %s is damaged does no harm: the head counts',
    async member => {
      for (const value of ['nan', '1e20', '-1', '']) {
        const store = await setUp()
        await client.hset(KEYS, member, value)
        expect(await store.getKeys('damaged', 'session', ['a', 'none'])).toEqual({ a: 1 })
        await store.set('damaged', { keys: { session: { b: 2 } } })
        expect(await store.getKeys('damaged', 'session', ['a', 'b'])).toEqual({ a: 1, b: 2 })
        expect(await client.hget(KEYS, member)).toMatch(/^\d+$/)
      }
    },
  )
})

describe.each([
  ['a string', (key: string) => client.set(key, 'foreign')],
  ['a list', (key: string) => client.rpush(key, 'foreign')],
  ['a set', (key: string) => client.sadd(key, 'foreign')],
  ['a sorted set', (key: string) => client.zadd(key, 1, 'foreign')],
  ['a stream', (key: string) => client.xadd(key, '*', 'a', 'b')],
])('a key that is %s', (_, put) => {
  test.each([
    ['the head', HEAD],
    ['the keys', KEYS],
  ])('in the place of %s is damage of this session', async (_, key) => {
    const store = await setUp()
    await client.del(key)
    await put(key)
    await expectRefused(store)
    await expect(store.listKeys('damaged')).rejects.toMatchObject(CORRUPT)
    if (key === KEYS) await expect(store.getKeys('damaged', 'session', ['a'])).rejects.toMatchObject(CORRUPT)
    await expectDeletable(store)
  })
})

test.each([
  ['has lost a bit', (end: string) => `0${end.slice(1)}`],
  ['has lost half of its digits', (end: string) => end.slice(0, 7)],
])('a session does not expire when its expiry %s', async (_, damage) => {
  const store = await setUp()
  const end = await client.hget(HEAD, 'expiresAt')
  await client.hset(HEAD, 'expiresAt', damage(end ?? ''))
  expect(await store.get('damaged')).toMatchObject({ data: { keys: { session: { a: 1 } } } })
  expect(await store.exists('damaged')).toBe(true)
  expect((await store.claim('damaged')).creds).toEqual({ registrationId: 7 })
})

test('keys that have only a foreign member left are half a session', async () => {
  const store = await setUp()
  const half = { code: 'SESSION_INCOMPLETE' }
  await client.del(KEYS)
  await client.hset(KEYS, 'foo', 'bar')
  await expect(store.get('damaged')).rejects.toMatchObject(half)
  await expect(store.getKeys('damaged', 'session', ['a'])).rejects.toMatchObject(half)
  await expect(store.set('damaged', { keys: { session: { b: 1 } } })).rejects.toMatchObject(half)
  await expect(store.claim('damaged')).rejects.toMatchObject(half)
  await expectSound(store)
  await expectDeletable(store)
})

test('a session without its keys, and one without its head, are still half sessions', async () => {
  for (const key of [HEAD, KEYS]) {
    const store = await setUp()
    await client.del(key)
    await expect(store.get('damaged')).rejects.toMatchObject({ code: 'SESSION_INCOMPLETE' })
    await expectDeletable(store)
  }
})

test.each(['version', 'fence'])(
  'a %s that allows no higher one is damage, and its session can be deleted',
  async member => {
    const store = await setUp()
    for (const value of [2 ** 52, 2 ** 52 + 5, 8639999999999999]) {
      await client.hset(HEAD, member, `${value}`)
      await expectRefused(store)
      await expectDeletable(store)
      await store.set('damaged', { keys: { session: { a: 1 } } })
    }
    await client.hset(KEYS, `@${member}`, `${2 ** 52}`)
    expect(await store.getKeys('damaged', 'session', ['a'])).toEqual({ a: 1 }) // the head counts
  },
)

test('a lease that ends later than any lease can is damage, and its session can be deleted', async () => {
  const store = await setUp()
  for (const value of [Date.now() + 2 * 24 * 60 * 60 * 1000, 8639999999999999, 'text']) {
    await client.hset(HEAD, 'leaseUntil', `${value}`)
    await expect(store.claim('damaged')).rejects.toMatchObject(CORRUPT)
    await expect(store.claim('damaged', { exclusive: true })).rejects.toMatchObject(CORRUPT)
    await expectDeletable(store)
  }
  await expect(createRedisStore({ redisUrl: server.url, ttl: { lockTtl: 86_401 } })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
  })
})

test('forks beyond the limit are removed with their session', async () => {
  const store = await setUp()
  await client.hset(HEAD, 'forks', 'x'.repeat(20_000))
  await expectDeletable(store)
})

describe('two keys of different times are damage', () => {
  const put = (key: string, dump: Buffer) => client.restore(key, 0, dump, 'REPLACE')
  const writeTwice = async (store: Store) => {
    for (const a of [2, 3]) await store.set('damaged', { keys: { session: { a } } })
  }

  test.each([
    ['the keys', KEYS],
    ['the head', HEAD],
  ])('when %s went back', async (_, key) => {
    const store = await setUp()
    const older = await client.dumpBuffer(key)
    await writeTwice(store)
    await put(key, older as Buffer)
    await expectRefused(store)
    await expect(store.get('damaged')).rejects.toThrow('of different times')
    await expectDeletable(store)
  })

  test('when the keys are those of another session, whatever its version', async () => {
    for (const writes of [0, 1, 2]) {
      const store = await setUp()
      for (let n = 0; n < writes; n++) await store.set('damaged', { keys: { session: { n } } })
      await put(KEYS, (await client.dumpBuffer(KEYS.replace('damaged', 'sound'))) as Buffer)
      await expectRefused(store)
      await expectDeletable(store)
    }
  })

  test('but not when Redis has stopped a write midway: the next one repeats it', async () => {
    const store = await setUp()
    const older = await client.dumpBuffer(HEAD)
    await store.set('damaged', { keys: { session: { a: 2 } } })
    await put(HEAD, older as Buffer)
    const other = await createRedisStore({ redisUrl: server.url, redisOptions: { db: 0, family: 4 } })
    onTestFinished(() => other.close())
    await other.set('damaged', { keys: { session: { b: 3 } } })
    expect(await other.getKeys('damaged', 'session', ['a', 'b'])).toEqual({ a: 2, b: 3 })
  })
})

test('a head never passes the highest version and token that it can hold', async () => {
  const store = await setUp()
  const most = 2 ** 51 - 2 ** 40 - 1
  await client.hset(HEAD, 'version', most, 'fence', most)
  await client.hset(KEYS, '@version', most)
  await expect(store.set('damaged', { keys: { session: { a: 2 } } })).rejects.toMatchObject(CORRUPT)
  await expect(store.claim('damaged')).rejects.toMatchObject(CORRUPT)
  expect(await store.get('damaged')).toMatchObject({
    version: most,
    data: { keys: { session: { a: 1 } } },
  })
  await store.delete('damaged')
  // As another process: the store itself goes on from the version that it has seen.
  const redisOptions = { connectionName: 'other' }
  const other = await createRedisStore({ redisUrl: server.url, redisOptions, cache: false })
  onTestFinished(() => other.close())
  for (let n = 0; n < 3; n++) {
    await other.set('damaged', { creds: { registrationId: 7 } })
    const { fencingToken } = await other.claim('damaged')
    await other.set('damaged', { keys: { session: { a: n } } }, undefined, fencingToken)
    await other.delete('damaged')
  }
})

test.each(['set', 'list', 'zset', 'stream', 'string'] as const)(
  'a session both of whose keys are a %s is refused, and can be deleted',
  async type => {
    const store = await setUp()
    const put = {
      set: (key: string) => client.sadd(key, 'x'),
      list: (key: string) => client.rpush(key, 'x'),
      zset: (key: string) => client.zadd(key, 1, 'x'),
      stream: (key: string) => client.xadd(key, '*', 'a', 'b'),
      string: (key: string) => client.set(key, 'x'),
    }
    await client.del(HEAD, KEYS)
    for (const key of [HEAD, KEYS]) await put[type](key)
    await expectRefused(store)
    await expectDeletable(store)
  },
)

test.each([
  ['a claim without an instant', { claim: 'worker-1' }],
  ['a claim whose owner has a control character', { claim: '1700000000000 a\nb' }],
  ['a beginning that is no instant', { createdAt: 'x' }],
])('%s is unknown to the catalogue, and harms nothing', async (_, members) => {
  const store = await setUp()
  await store.claim('damaged', { owner: 'worker-1' })
  await client.hset(HEAD, members)
  const info = await store.describe('damaged')
  expect([info?.createdAt ?? null, info?.owner?.label ?? null]).toContain(null)
  expect((await store.claim('damaged', { owner: 'worker-2' })).creds).toEqual({ registrationId: 7 })
  expect((await store.describe('damaged'))?.owner?.label).toBe('worker-2')
})

test('a damaged session is told from the others in a catalogue', async () => {
  const store = await setUp()
  await client.hset(HEAD, 'version', 'x')
  const found = (await sessionsOf(store)).map(({ sessionId, isDamaged }) => [sessionId, isDamaged])
  expect(found.sort()).toEqual([
    ['damaged', true],
    ['sound', undefined],
  ])
  await expect(store.describe('damaged')).rejects.toMatchObject(CORRUPT)
})
