import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { type Logger, nullLogger } from '../../src/core/logger.js'
import { createRedisStore, type RedisOptions } from '../../src/redis/index.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'

let server: RedisServer
let client: Redis
beforeAll(async () => {
  server = await startRedis()
  client = new Redis(server.url)
})
beforeEach(() => client.flushall())
afterAll(async () => {
  client.disconnect()
  await server.stop()
})

async function setUp(options: Partial<RedisOptions> = {}) {
  const warnings: [context: object, text: string][] = []
  const logger: Logger = {
    ...nullLogger,
    warn: (context, text) => {
      if (text.includes('no sessions')) warnings.push([context, text])
    },
  }
  const store = await createRedisStore({ redisUrl: server.url, security: { logger }, ...options })
  onTestFinished(() => store.close())
  return { store, warnings }
}

async function listAll(store: Awaited<ReturnType<typeof setUp>>['store'], limit: number): Promise<string[]> {
  const found: string[] = []
  let cursor: string | null | undefined
  while (cursor !== null) {
    const page = await store.list({ limit, cursor })
    found.push(...page.sessionIds)
    cursor = page.cursor
  }
  return found.sort()
}

test('pages miss no session that stays, though others end in between and Redis shrinks its table', async () => {
  const { store } = await setUp()
  const write = { patch: { creds: { registrationId: 1 } } }
  const names = Array.from({ length: 2000 }, (_, n) => `bot-${n}`)
  await store.batchSet(names.map(sessionId => ({ sessionId, ...write })))
  const staying = names.filter((_, n) => n % 20 === 0)
  const ending = names.filter((_, n) => n % 20 !== 0)
  const seen = new Set<string>()
  let cursor: string | null | undefined
  while (cursor !== null) {
    const page = await store.list({ limit: 7, cursor })
    for (const sessionId of page.sessionIds) seen.add(sessionId)
    cursor = page.cursor
    for (const sessionId of ending.splice(0, 25))
      await client.del(`baileys:auth:{${sessionId}}:creds`, `baileys:auth:{${sessionId}}:keys`)
  }
  expect(staying.filter(sessionId => !seen.has(sessionId))).toEqual([])
}, 60_000)

test('foreign keys under the prefix are skipped, counted and reported once', async () => {
  const { store, warnings } = await setUp()
  const ids = Array.from({ length: 30 }, (_, n) => `bot-${n}`).sort()
  await Promise.all(ids.map(sessionId => store.set(sessionId, { creds: { registrationId: 1 } })))
  await client.set('baileys:auth:{string}:creds', 'x')
  await client.rpush('baileys:auth:{list}:creds', 'x')
  await client.hset('baileys:auth:{%ZZ}:creds', 'version', '1')
  await client.hset('baileys:auth:{%7d}:creds', 'version', '1')
  await client.hset('baileys:auth:{a%}:creds', 'version', '1')
  await client.hset('baileys:auth:{a}b}:creds', 'version', '1')
  await client.hset('baileys:auth:{}:creds', 'version', '1')
  await client.hset(`baileys:auth:{${'x'.repeat(1025)}}:creds`, 'version', '1')
  await client.hset(Buffer.from('baileys:auth:{\xff\xfe}:creds', 'latin1'), 'version', '1')
  await client.hset('baileys:auth:{hash of another}:creds', 'name', '1')
  await client.set('baileys:auth:old:creds', 'as an earlier release wrote it')
  expect((await store.list({ limit: 1000 })).sessionIds.sort()).toEqual(ids)
  expect(await listAll(store, 7)).toEqual(ids)
  expect(warnings).toEqual([[{ count: expect.any(Number) }, expect.stringContaining('"prefix"')]])
  const [[context]] = warnings as [[{ count: number }, string]]
  expect(context.count).toBeGreaterThanOrEqual(8)
  const later = await setUp()
  await later.store.list()
  expect(later.warnings).toHaveLength(1)
})

test('a damaged session is listed, so that it can be deleted', async () => {
  const { store, warnings } = await setUp()
  await store.set('damaged', { creds: { registrationId: 1 } })
  await client.hset('baileys:auth:{damaged}:creds', 'version', 'nan', 'expiresAt', 'inf')
  expect((await store.list()).sessionIds).toEqual(['damaged'])
  await store.delete('damaged')
  expect((await store.list()).sessionIds).toEqual([])
  expect(warnings).toEqual([])
})

test.each([
  '%',
  '%25',
  '%7D',
  '%ZZ',
  '}',
  '{',
  '{}',
  'a}b{c',
  '*',
  '[a-z]?\\',
  'ä😀',
  ' ',
  '\n',
  ':',
  '}:creds',
  '{x}:creds',
])('the session %j is listed by its name, beside another one', async sessionId => {
  for (const keyPrefix of ['', 'app:[1]*?\\:']) {
    await client.flushall()
    const { store, warnings } = await setUp({ redisOptions: { keyPrefix }, prefix: 'p:*[x]' })
    for (const id of [sessionId, 'sibling']) await store.set(id, { creds: { registrationId: 1 } })
    expect(await listAll(store, 1)).toEqual([sessionId, 'sibling'].sort())
    expect((await store.get(sessionId))?.version).toBe(1)
    expect(warnings).toEqual([])
  }
})

describe('a cursor from outside', () => {
  test.each<unknown>([
    5,
    {},
    '',
    'x',
    '0',
    '0.0',
    '0.0.0.0',
    '-1.0.0',
    '0.-1.0',
    '0.1e3.0',
    '0.18446744073709551616.0',
    '0.0.x',
    '0.0.\n',
    `0.${'9'.repeat(1000)}.0`,
  ])('%j is refused', async cursor => {
    const { store } = await setUp()
    await expect(store.list({ cursor: cursor as string })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  test('of a node that is gone ends the list', async () => {
    const { store } = await setUp()
    expect(await store.list({ cursor: '7.0.' })).toEqual({ sessionIds: [], cursor: null })
  })
})
