/**
 * Writes test/fixtures/earlier-sessions.json: sessions as release 1.0.0-rc.4 of this package stores them, by its own hooks
 * on real servers. Run it with `npx tsx --import ./scripts/lua-modules.mjs bench/peer/store-fixtures.ts`.
 */
import { writeFileSync } from 'node:fs'
import { initAuthCreds } from '@whiskeysockets/baileys'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import { useHybridAuthState } from 'peer/hybrid'
import { useMongoAuthState } from 'peer/mongodb'
import { useRedisAuthState } from 'peer/redis'
import { serialize } from '../../src/index.js'
import { startMongo } from '../../test/support/mongodb/mongodb-server.js'
import { startRedis } from '../../test/support/redis/redis-server.js'
import { SETTINGS } from './peer-settings.js'

interface Security {
  enableEncryption: boolean
  enableCompression: boolean
  masterKey?: string
}

const SECURITY: Record<string, Security> = {
  plain: { enableEncryption: false, enableCompression: false },
  compressed: { enableEncryption: false, enableCompression: true },
  'with a key': { enableEncryption: true, enableCompression: true, masterKey: 'a1'.repeat(32) },
  'with a passphrase': {
    enableEncryption: true,
    enableCompression: false,
    masterKey: 'correct horse battery staple',
  },
  'with a passphrase that begins with hex': {
    enableEncryption: true,
    enableCompression: true,
    masterKey: 'beef soup',
  },
}
const KEYS = {
  'pre-key': { 1: { public: Buffer.alloc(32, 1), private: Buffer.alloc(32, 2) } },
  session: { '15550001234.0': Buffer.from('a session'), '15550001234:12.0': Buffer.from('another') },
  'sender-key': { '120363001@g.us::15550001234::12': Buffer.from('[]') },
  'app-state-sync-key': { 'AAAA/b+c=': { keyData: Buffer.from('key'), timestamp: '1' } },
  'device-list': { 15550001234: ['0', '12'] },
}
const LATER = { session: { '15550001234.0': Buffer.from('a later session'), '15550001234:12.0': null } }
const EXPECTED_KEYS = { ...KEYS, session: { '15550001234.0': Buffer.from('a later session') } }
const WAITS = ', and a write waits for MongoDB'

const [redis, mongo] = await Promise.all([startRedis(), startMongo()])
const client = new Redis(redis.url)
const durable = new MongoClient(mongo.url)
const creds = { ...initAuthCreds(), me: { id: '15550001234:1@s.whatsapp.net' }, registered: true }
const fixtures: object[] = []

async function keep(
  store: string,
  how: string,
  open: () => ReturnType<typeof useRedisAuthState>,
  { masterKey, enableEncryption: isEncrypted }: Security,
) {
  await client.flushall()
  await durable.db('earlier').dropDatabase()
  const documents = durable.db('earlier').collection('auth')
  const { state, store: opened } = await open()
  const isReadable = store !== 'mongodb' || isEncrypted // it cannot read what it has stored in the clear
  await opened.set('old', { creds, keys: isReadable ? KEYS : EXPECTED_KEYS })
  if (how.endsWith(WAITS)) await opened.reconcileOutbox?.()
  if (isReadable) await state.keys.set(LATER)
  const strings: Record<string, string> = {}
  const hashes: Record<string, Record<string, string>> = {}
  for (const key of await client.keys('*')) {
    if ((await client.type(key)) === 'hash') hashes[key] = await client.hgetall(key)
    else strings[key] = (await client.get(key)) as string
  }
  fixtures.push({ store, how, masterKey, strings, hashes, documents: await documents.find().toArray() })
  await opened.disconnect()
}

for (const [how, security] of Object.entries(SECURITY)) {
  await keep(
    'redis',
    how,
    () => useRedisAuthState({ sessionId: 'old', redis: { redisUrl: redis.url, ...SETTINGS }, ...security }),
    security,
  )
  const mongodb = { mongoUrl: mongo.url, databaseName: 'earlier', collectionName: 'auth', ...SETTINGS }
  await keep('mongodb', how, () => useMongoAuthState({ sessionId: 'old', mongodb, ...security }), security)
  const hybrid = {
    redisUrl: redis.url,
    mongoUrl: mongo.url,
    mongoDatabase: 'earlier',
    mongoCollection: 'auth',
    masterKey: security.masterKey,
    security: { ...security, encryptionAlgorithm: 'secretbox', compressionAlgorithm: 'snappy' },
    observability: { enableMetrics: true },
    ...SETTINGS,
  }
  await keep('hybrid', how, () => useHybridAuthState({ sessionId: 'old', hybrid }), security)
  const queue = { add: async () => {}, close: async () => {} } // its worker never comes
  const behind = { ...hybrid, enableWriteBehind: true, queue }
  await keep(
    'hybrid',
    `${how}${WAITS}`,
    () => useHybridAuthState({ sessionId: 'old', hybrid: behind }),
    security,
  )
}
const expected = { creds, keys: EXPECTED_KEYS }
writeFileSync('test/fixtures/earlier-sessions.json', `${serialize({ expected, fixtures })}\n`)
await Promise.all([client.quit(), durable.close()])
await Promise.all([redis.stop(), mongo.stop()])
process.exit(0)
