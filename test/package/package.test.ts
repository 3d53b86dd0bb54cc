import { execFile, spawn } from 'node:child_process'
import { cp, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { useMultiFileAuthState } from '@whiskeysockets/baileys'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type FakeWhatsApp, startFakeWhatsApp } from '../support/fake-whatsapp/index.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { type RedisServer, startRedis } from '../support/redis/redis-server.js'
import { isFree } from '../support/server-process.js'
import { findNode, PackedPackage } from './installed-package.js'

const run = promisify(execFile)
const TSC = resolve(import.meta.dirname, '../../node_modules/typescript/bin/tsc')
const BAILEYS = ['@whiskeysockets/baileys@7.0.0-rc14', 'baileys@7.0.0-rc14']
const ACCOUNT = { pn: '15550000001', lid: '100000000000001' }
/** The ports that the snippets use; a server that already runs there will do. */
const SEED_PORT = 6379
const SEED_MONGODB_PORT = 27017
/** Installing and fetching another Node are slow the first time. */
const SETUP_MS = 300_000

let packed: PackedPackage
let full: string
let bare: string
let older: string
let server: FakeWhatsApp
let redis: RedisServer
let mongodb: MongoServer

beforeAll(async () => {
  packed = await PackedPackage.pack()
  full = await packed.install('full', ['libsql', 'ioredis@6', 'mongodb@7', ...BAILEYS])
  bare = await packed.install('bare', [])
  older = await packed.install('older', ['ioredis@5', 'mongodb@6'])
  redis = await startRedis()
  mongodb = await startMongo({ shared: true })
  server = await startFakeWhatsApp({ claimedPreKeys: 5 })
}, SETUP_MS)

afterAll(async () => {
  await server?.close()
  await redis?.stop()
  await mongodb?.stop()
  await packed?.remove()
})

describe.each([20, 22, 24, 26])('the packed package on Node %i', major => {
  let node: string
  beforeAll(async () => {
    node = await findNode(major)
  }, SETUP_MS)

  test.each(['bot.mjs', 'bot.cjs'])('pairs, closes and comes back without a QR code: %s', async program => {
    for (const suffix of ['', '-wal', '-shm']) await rm(join(full, `auth.db${suffix}`), { force: true })
    const version = await run(node, ['-p', 'process.version'])
    expect(await runBot(node, program)).toEqual({ qrCodes: 1, marks: [] })
    expect(await runBot(node, program)).toEqual({ qrCodes: 0, marks: [version.stdout.trim()] })
  })

  test('has a command line, which imports a session and shows it', async () => {
    const program = join(full, 'node_modules/.bin/baileys-store-core')
    const store = ['--store', `sqlite:${join(full, `cli-${major}.db`)}`]
    const folder = join(full, `auth-${major}`)
    await (await useMultiFileAuthState(folder)).saveCreds()
    const command = (...args: string[]) => run(node, [program, ...args, ...store, '--json'], { cwd: full })
    const imported = await command('import', 'bot', '--from', `multi-file:${folder}`, '--unencrypted')
    expect([JSON.parse(imported.stdout), imported.stderr]).toMatchObject([{ sessionId: 'bot' }, ''])
    const { stdout, stderr } = await command('list')
    expect([JSON.parse(stdout), stderr]).toMatchObject([{ sessionId: 'bot', isPaired: false }, ''])
  })

  test.each(['classes.mjs', 'classes.cjs'])('has one StoreError for all subpaths: %s', async program => {
    const { stdout } = await run(node, [program], { cwd: full })
    expect(JSON.parse(stdout)).toEqual(['INVALID_SESSION_ID', true])
  })

  test.each(['ioredis 6', 'ioredis 5'])('keeps a session in Redis through %s', async name => {
    const cwd = name === 'ioredis 6' ? full : older
    const { stdout } = await run(node, ['redis.cjs', redis.url], { cwd })
    expect(JSON.parse(stdout)).toEqual([{ a: 1 }, 'hi'])
  })

  test.each(['mongodb 7', 'mongodb 6'])('keeps a session in MongoDB through %s', async name => {
    const cwd = name === 'mongodb 7' ? full : older
    const { stdout } = await run(node, ['mongodb.cjs', mongodb.url], { cwd })
    expect(JSON.parse(stdout)).toEqual([{ a: 1 }, 'hi'])
  })

  test.each(['the later drivers', 'the earlier ones'])('keeps a session in both through %s', async name => {
    const cwd = name === 'the later drivers' ? full : older
    const { stdout } = await run(node, ['hybrid.cjs', redis.url, mongodb.url], { cwd })
    expect(JSON.parse(stdout)).toEqual([{ a: 1 }, 'hi', 'durable'])
  })

  test('reports a lost ownership even if store and hook are of different module formats', async () => {
    const { stdout } = await run(node, ['mixed.mjs'], { cwd: full })
    expect(JSON.parse(stdout)).toEqual({ refused: 'FENCED', lost: 'FENCED' })
  })

  test('names a missing optional package in the error', async () => {
    const { stdout } = await run(node, ['bare.mjs'], { cwd: bare })
    const missing = (name: string) =>
      expect.stringMatching(new RegExp(`^MISSING_DEPENDENCY: .*npm install ${name}$`))
    const hasSqlite = major > 20
    expect(JSON.parse(stdout)).toEqual({
      revived: 'hi',
      store: hasSqlite ? 'works' : missing('libsql'),
      hook: missing(hasSqlite ? '@whiskeysockets/baileys' : 'libsql'),
      redis: missing('ioredis'),
      traced: missing('ioredis'), // and works without what it traces with
      mongodb: missing('mongodb'),
      hybrid: missing('ioredis'),
    })
  })
})

test.each([
  ['node16', 'node16'],
  ['esnext', 'bundler'],
])(
  'the declarations of the package fit both packages of Baileys: module %s, resolution %s',
  async (module, resolution) => {
    const flags = [
      '--noEmit',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--target',
      'es2022',
      '--types',
      'node',
    ]
    const roots = ['--typeRoots', resolve(import.meta.dirname, '../../node_modules/@types')]
    const how = ['--module', module, '--moduleResolution', resolution, '--skipLibCheck']
    const { stdout } = await run(process.execPath, [TSC, ...flags, ...roots, ...how, 'types.mts'], {
      cwd: full,
    }).catch(failure => failure as { stdout: string })
    expect(stdout).toBe('')
  },
)

test.each([
  ['redis.mjs', () => ({ REDIS_URL: redis.url })],
  ['mongodb.mjs', () => ({ MONGODB_URL: mongodb.url })],
])('the packed examples/%s runs beside an installed package', async (name, env) => {
  await cp(join(full, 'node_modules/@luoarch/baileys-store-core/examples', name), join(full, name))
  const { stdout } = await run(process.execPath, [name], {
    cwd: full,
    env: { ...process.env, ...env(), BAILEYS_MASTER_KEY: 'c3'.repeat(32) },
  })
  expect(stdout.trim().split('\n').sort()).toEqual([
    'first is at version 3 with 1 key',
    'second is at version 3 with 1 key',
  ])
})

test("the seed's snippet for Redis runs as it stands", async () => {
  const server = (await isFree(SEED_PORT)) ? await startRedis({ port: SEED_PORT }) : undefined
  const { stdout } = await run(process.execPath, ['seed-redis.mjs'], { cwd: full })
  await server?.stop()
  expect(JSON.parse(stdout)).toEqual([3, { 'lid-mapping': { 1: '2' } }, 'number'])
})

test("the seed's snippet for MongoDB runs as it stands", async () => {
  const server = (await isFree(SEED_MONGODB_PORT)) ? await startMongo({ port: SEED_MONGODB_PORT }) : undefined
  const { stdout } = await run(process.execPath, ['seed-mongodb.mjs'], { cwd: full })
  await server?.stop()
  expect(JSON.parse(stdout)).toEqual([3, { 'lid-mapping': { 1: '2' } }, 'number'])
})

test("the seed's snippets for both run as they stand", async () => {
  const redis = (await isFree(SEED_PORT)) ? await startRedis({ port: SEED_PORT }) : undefined
  const mongo = (await isFree(SEED_MONGODB_PORT)) ? await startMongo({ port: SEED_MONGODB_PORT }) : undefined
  const { stdout } = await run(process.execPath, ['seed-hybrid.mjs'], { cwd: full })
  await Promise.all([redis?.stop(), mongo?.stop()])
  const said = stdout.trim().split('\n').at(-1) ?? ''
  expect(JSON.parse(said)).toEqual([{ 'lid-mapping': { 1: '2' } }, false, 'number', 'number', true])
})

/** One life of a bot in the folder with all packages, whose QR codes are scanned. */
async function runBot(node: string, program: string): Promise<{ qrCodes: number; marks: unknown }> {
  const bot = spawn(node, [program, server.url], { cwd: full, stdio: ['ignore', 'pipe', 'inherit'] })
  let qrCodes = 0
  let marks: unknown
  for await (const line of createInterface({ input: bot.stdout })) {
    const [word, text = ''] = line.split(/ (.*)/s)
    if (word === 'open') marks = JSON.parse(text)
    if (word !== 'qr') continue
    qrCodes++
    server.scan(text, ACCOUNT)
  }
  return { qrCodes, marks }
}
