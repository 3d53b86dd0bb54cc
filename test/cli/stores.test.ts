import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { initAuthCreds } from '@whiskeysockets/baileys'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { deserialize } from '../../src/index.js'
import { createSqliteStore } from '../../src/sqlite/index.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { call, parseLines } from './command-line.js'

/** Every store by its URL. */

const SEALED = { BAILEYS_MASTER_KEY: 'a1'.repeat(32) }
const PAIRED = { ...initAuthCreds(), me: { id: '15550001234:1@s.whatsapp.net' } }

let redis: RedisServer
let mongo: MongoServer

beforeAll(async () => {
  ;[redis, mongo] = await Promise.all([startRedis(), startMongo()])
})
afterAll(() => Promise.all([redis?.stop(), mongo?.stop()]))

async function setUp() {
  const folder = await mkdtemp(join(tmpdir(), 'cli-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'auth.db')
  const store = await createSqliteStore({ path, masterKey: SEALED.BAILEYS_MASTER_KEY })
  await store.set('one', { creds: PAIRED, keys: { session: { a: Buffer.from('a') } } })
  await store.close()
  return { folder, path }
}

/** The database of a MongoDB that is given as a URL with its port. */
const inDatabase = (name: string, more = '') => `${mongo.url.replace(/\/?(\?.*)?$/, '')}/${name}${more}`

test.each<[string, () => string[]]>([
  ['Redis', () => ['', redis.url]],
  ['Redis with a prefix', () => ['', `${redis.url}?prefix=app:`]],
  ['MongoDB', () => ['', inDatabase('cli')]],
  ['MongoDB with a collection', () => ['', inDatabase('cli', '?collection=other')]],
  ['hybrid', () => ['-redis', `${redis.url}?prefix=hybrid:`, '-mongo', inDatabase('hybrid')]],
])('copies a session into %s, shows it, deletes it and brings it back', async (_, toUrls) => {
  const { path, folder } = await setUp()
  const urls = toUrls()
  const side = (name: string) => urls.map((part, i) => (i % 2 === 0 ? `--${name}${part}` : part))
  const store = urls.map((part, i) => (i % 2 === 1 ? part : part === '' ? '--store' : `--${part.slice(1)}`))
  const done = async (...args: string[]) => {
    const ended = await call([...args, '--json'], SEALED)
    expect([ended.code, ended.stderr]).toEqual([0, ''])
    return parseLines(ended)
  }
  expect(await done('copy', '--from', `sqlite:${path}`, ...side('to'))).toMatchObject([
    { sessionId: 'one', outcome: 'copied' },
  ])
  expect(await done('list', ...store)).toMatchObject([{ sessionId: 'one', isPaired: true }])
  await done('delete', 'one', '--yes', ...store)
  expect(await done('list', ...store)).toEqual([])
  await done('restore', 'one', ...store)
  const back = join(folder, 'back.db')
  await done('copy', 'one', ...side('from'), '--to', `sqlite:${back}`)
  const opened = await createSqliteStore({ path: back, masterKey: SEALED.BAILEYS_MASTER_KEY })
  expect((await opened.get('one'))?.data).toMatchObject({
    creds: { me: PAIRED.me },
    keys: { session: { a: Buffer.from('a') } },
  })
  await opened.close()
})

test('imports a session of an earlier release, with its key', async () => {
  const text = await readFile(new URL('../fixtures/earlier-sessions.json', import.meta.url), 'utf8')
  const { fixtures } = deserialize(text) as {
    fixtures: { store: string; masterKey?: string; strings: Record<string, string> }[]
  }
  const { strings, masterKey = '' } = fixtures.find(one => one.store === 'redis' && one.masterKey) ?? {}
  const client = new Redis(redis.url)
  for (const [key, value] of Object.entries(strings ?? {})) await client.set(key, value)
  client.disconnect()
  const { folder } = await setUp()
  const args = [
    'import',
    'old',
    '--from',
    `earlier:${redis.url}`,
    '--store',
    `sqlite:${join(folder, 'new.db')}`,
  ]
  expect((await call(args, SEALED)).code).toBe(1)
  const imported = await call([...args, '--from-key-env', 'OLD_KEY', '--json'], {
    ...SEALED,
    OLD_KEY: masterKey,
  })
  expect([imported.code, parseLines(imported)]).toMatchObject([0, [{ sessionId: 'old', isPaired: true }]])
})
