import { fork } from 'node:child_process'
import { once } from 'node:events'
import { statSync, truncateSync } from 'node:fs'
import {
  copyFile,
  mkdtemp,
  open,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Rewind } from '../../src/index.js'
import { openDatabase } from '../../src/sqlite/driver.js'
import { createSqliteStore, type SqliteOptions, useSqliteAuthState } from '../../src/sqlite/index.js'
import { CREDS } from '../conformance/auth-store/harness.js'
import { withDatabase } from '../support/sqlite-database.js'
import { killBurst } from '../support/store-child.js'

const FILES = ['', '-wal', '-shm']
const GONE = { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('deleted or moved away') }
const QUICK = { resilience: { maxRetries: 0 }, cache: false } as const

async function setUp(options: (path: string) => SqliteOptions | Promise<SqliteOptions> = path => ({ path })) {
  const folder = await mkdtemp(join(tmpdir(), 'sqlite-away-'))
  const path = join(folder, 'auth.db')
  const store = await createSqliteStore({ ...(await options(path)), ...QUICK })
  const rewinds: Rewind[] = []
  store.onRewind(rewind => rewinds.push(rewind))
  onTestFinished(async () => {
    await store.close()
    await rm(folder, { recursive: true })
  })
  await store.set('s', { creds: CREDS, keys: { session: { a: 'old' } } })
  const forEachFile = async (action: (name: string, suffix: string) => Promise<void>) => {
    for (const suffix of FILES) await action(path + suffix, suffix)
  }
  const backUp = async () => {
    await withDatabase(path, database => database.exec(`VACUUM INTO '${path}.backup'`))
    return () => rename(`${path}.backup`, path)
  }
  return { store, path, folder, rewinds, forEachFile, backUp }
}

describe.each([
  ['opened by its path', (path: string) => ({ path })],
  [
    'given as a database',
    async (path: string) => {
      const database = await openDatabase(path)
      database.exec('PRAGMA journal_mode = WAL')
      return { database }
    },
  ],
])('a file %s', (_, options) => {
  test('fails every call once it is deleted, and no write is acknowledged', async () => {
    const { store, forEachFile } = await setUp(options)
    await forEachFile(name => rm(name, { force: true }))
    await expect(store.set('s', { keys: { session: { a: 'new' } } })).rejects.toMatchObject(GONE)
    await expect(store.getKeys('s', 'session', ['a'])).rejects.toMatchObject(GONE)
    await expect(store.get('s')).rejects.toMatchObject(GONE)
    await expect(store.claim('s')).rejects.toMatchObject(GONE)
    await expect(store.list()).rejects.toMatchObject(GONE)
    expect(await store.isHealthy()).toBe(false)
    await expect(store.touch('s')).rejects.toThrow(/^SQLite at .*auth\.db is unavailable/)
  })

  test('is used again after it was moved away and back', async () => {
    const { store, forEachFile } = await setUp(options)
    await forEachFile((name, suffix) => rename(name, `${name}-moved${suffix}`))
    await expect(store.set('s', { keys: { session: { a: 'new' } } })).rejects.toMatchObject(GONE)
    await forEachFile((name, suffix) => rename(`${name}-moved${suffix}`, name))
    await store.set('s', { keys: { session: { b: 'new' } } })
    expect(await store.getKeys('s', 'session', ['a', 'b'])).toEqual({ a: 'old', b: 'new' })
  })

  test('is refused once its log is deleted, and keeps the acknowledged writes', async () => {
    const { store, path } = await setUp(options)
    await rm(`${path}-wal`)
    const cutOff = { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('"-wal"') }
    await expect(store.set('s', { keys: { session: { a: 'new' } } })).rejects.toMatchObject(cutOff)
    await copyFile(path, `${path}.copy`)
    const copy = await createSqliteStore({ path: `${path}.copy` })
    expect(await copy.getKeys('s', 'session', ['a'])).toEqual({ a: 'old' })
    await copy.close()
  })

  test.each([
    ['emptied', 'the next write is not', (log: string) => truncate(log, 0)],
    ['cut in half', 'nothing is', async (log: string) => truncate(log, (await stat(log)).size / 2)],
    [
      'overwritten',
      'nothing is',
      async (log: string) => writeFile(log, Buffer.alloc((await stat(log)).size)),
    ],
    [
      'overwritten by an earlier copy of itself',
      'nothing is',
      async (log: string, earlier: Buffer) => writeFile(log, earlier),
    ],
    [
      'overwritten at its beginning',
      'nothing is',
      async (log: string) => {
        const file = await open(log, 'r+')
        await file.write('damage')
        await file.close()
      },
    ],
  ])('acknowledges no write once its log was %s in place: %s', async (_name, _what, damage) => {
    const { store, path } = await setUp(options)
    const earlier = await readFile(`${path}-wal`)
    await store.set('s', { keys: { session: { a: 'acknowledged' } } })
    await damage(`${path}-wal`, earlier)
    const cut = {
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('cut or overwritten its "-wal"'),
    }
    for (const a of ['new', 'newer'])
      await expect(store.set('s', { keys: { session: { a } } })).rejects.toMatchObject(cut)
    const before = await readFile(path)
    await store.close()
    expect(await readFile(path)).toEqual(before)
  })

  test('fails every call once it was emptied in place, and its closing writes nothing', async () => {
    const { store, path } = await setUp(options)
    await truncate(path, 0)
    const cut = { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('emptied the file') }
    await expect(store.set('s', { keys: { session: { a: 'new' } } })).rejects.toMatchObject(cut)
    await expect(store.get('s')).rejects.toMatchObject(cut)
    expect(await store.isHealthy()).toBe(false)
    await store.close()
    expect((await stat(path)).size).toBe(0)
  })

  test('goes on when another program empties its log by a checkpoint', async () => {
    const { store, path } = await setUp(options)
    await withDatabase(path, database => database.exec('PRAGMA wal_checkpoint(TRUNCATE)'))
    expect((await stat(`${path}-wal`)).size).toBe(0)
    await store.set('s', { keys: { session: { a: 'new' } } })
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: 'new' })
  })
})

describe('a backup that is moved into the place of the file', () => {
  test.each(['read', 'write'])('is opened, and noticed as a rewind by the next %s', async kind => {
    const { store, path, rewinds, backUp } = await setUp()
    const restore = await backUp()
    await store.set('s', { keys: { session: { a: 'new', b: 'new' } } })
    await restore()
    if (kind === 'write') await store.set('s', { keys: { session: { c: 'new' } } })
    expect(await store.getKeys('s', 'session', ['a', 'b'])).toEqual({ a: 'new', b: 'new' })
    expect(rewinds).toMatchObject([{ sessionId: 's', rewrittenFields: 2 }])
    const other = await openDatabase(path)
    expect(other.prepare('PRAGMA integrity_check').get()).toMatchObject({ integrity_check: 'ok' })
    expect(other.prepare("SELECT count(*) AS n FROM field WHERE type = 'session'").get()).toMatchObject({
      n: kind === 'write' ? 3 : 2,
    })
    other.close()
  })

  test('gets nothing from the log of the file that it replaces', async () => {
    const { store, path, backUp } = await setUp()
    const restore = await backUp()
    for (let n = 0; n < 20; n++)
      await store.set('t', { creds: CREDS, keys: { session: { [`k${n}`]: 'x'.repeat(5000) } } })
    await restore()
    await store.exists('s')
    await withDatabase(path, database => {
      expect(database.prepare('PRAGMA integrity_check').get()).toMatchObject({ integrity_check: 'ok' })
      expect(database.prepare("SELECT count(*) AS n FROM session WHERE id = 't'").get()).toMatchObject({
        n: 0,
      })
    })
  })

  test('is an error if the database was given, since only its owner can open it again', async () => {
    let given: Awaited<ReturnType<typeof openDatabase>> | undefined
    const { store, backUp } = await setUp(async path => {
      given = await openDatabase(path)
      return { database: given }
    })
    await (await backUp())()
    await expect(store.set('s', { creds: CREDS })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('put in the place'),
    })
    given?.close()
  })

  test('is not taken for a new file while it is empty, nor its session for a new one', async () => {
    const { store, path, forEachFile } = await setUp()
    await forEachFile(name => rm(name, { force: true }))
    await writeFile(path, '')
    await expect(useSqliteAuthState({ sessionId: 's', store })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    })
    await expect(store.get('s')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})

describe.each([
  ['missing', (path: string) => rm(path)],
  ['empty', (path: string) => truncate(path, 0)],
  ['of one byte, which SQLite takes for empty,', (path: string) => truncate(path, 1)],
])('a file that is %s while its log is there', (_, take) => {
  test('is not begun anew', async () => {
    const { path, forEachFile } = await setUp()
    await forEachFile((name, suffix) => copyFile(name, `${path}.killed${suffix}`)) // as a killed process leaves them
    const killed = `${path}.killed`
    await take(killed)
    const damaged = {
      code: 'CORRUPT_VALUE',
      message: expect.stringMatching(
        /auth\.db\.killed" is missing or empty, and its log is there\..*restore the file/,
      ),
    }
    for (let tries = 0; tries < 2; tries++)
      await expect(useSqliteAuthState({ sessionId: 's', sqlite: { path: killed } })).rejects.toMatchObject(
        damaged,
      )
    expect((await stat(`${killed}-wal`)).size).toBeGreaterThan(0)
    for (const suffix of ['-wal', '-shm']) await rm(killed + suffix)
    await (await createSqliteStore({ path: killed })).close()
  })
})

describe.each([
  ['its path', (path: string) => path],
  ['a link', (path: string) => `${path}.link`],
])('a log, reached by %s,', (_, toOpened) => {
  test.each([
    ['of zeros', (log: Buffer) => Buffer.alloc(log.length)],
    ['cut within its header', (log: Buffer) => log.subarray(0, 16)],
    ['with a damaged salt', (log: Buffer) => Buffer.from(log).fill(log.readUInt8(16) ^ 1, 16, 17)],
    ['with a damaged checksum', (log: Buffer) => Buffer.from(log).fill(log.readUInt8(31) ^ 1, 31, 32)],
  ])('%s is not taken for one without writes', async (_name, damage) => {
    const { path, forEachFile } = await setUp()
    const killed = `${path}.killed`
    await forEachFile((name, suffix) => copyFile(name, `${killed}${suffix}`))
    await symlink(killed, `${killed}.link`)
    await writeFile(`${killed}-wal`, damage(await readFile(`${killed}-wal`)))
    await expect(createSqliteStore({ path: toOpened(killed) })).rejects.toMatchObject({
      code: 'CORRUPT_VALUE',
      message: expect.stringMatching(
        /^The log ".*auth\.db\.killed-wal" is damaged.*restore the log from a backup/,
      ),
    })
  })
})

test('a write is not acknowledged if the log is cut while it is committed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sqlite-away-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const path = join(folder, 'auth.db')
  const database = await openDatabase(path)
  database.exec('PRAGMA journal_mode = WAL')
  let cuts = false
  const exec = (sql: string) => {
    if (cuts && sql === 'COMMIT') truncateSync(`${path}-wal`, 32 + (statSync(`${path}-wal`).size >> 1))
    return database.exec(sql)
  }
  const wrapped = { exec, prepare: (sql: string) => database.prepare(sql), close: () => database.close() }
  const store = await createSqliteStore({ database: wrapped, ...QUICK })
  await store.set('s', { creds: CREDS, keys: { session: { a: 'x'.repeat(20_000) } } })
  cuts = true
  const write = store.set('s', { keys: { session: { b: 'new' } } })
  await expect(write).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining('"-wal"'),
  })
  cuts = false
  await expect(store.set('s', { keys: { session: { c: 'new' } } })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
  })
  await store.close()
})

describe('a write of another process to the files at the path', () => {
  const source = (path: string) => ({
    module: new URL('../support/sqlite-store-module.ts', import.meta.url).href,
    options: { path },
  })
  const burst = { kind: 'burst', sessionId: 's', width: 3 } as const
  /** Waits until the other process has written for a while longer. */
  const untilWritten = async (path: string) => {
    const sinceMs = Date.now() + 300
    const writtenAtMs = () =>
      stat(`${path}-wal`).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      )
    await expect.poll(writtenAtMs, { timeout: 30_000 }).toBeGreaterThan(sinceMs)
  }

  test.each([
    ['a backup was moved there', 'backup'],
    ['the shared memory was deleted', '-shm'],
  ])(
    'is left alone by a process that had them open before %s',
    async (_, loss) => {
      const { store, path, backUp } = await setUp()
      const restore = loss === 'backup' ? await backUp() : () => rm(`${path}-shm`)
      const lost = { code: 'STORE_UNAVAILABLE' }
      let isLost = false
      if (loss === '-shm') await restore()
      const acknowledged = await killBurst(source(path), burst, 20, async () => {
        if (loss === 'backup') await restore()
        await untilWritten(path)
        isLost = true
        await expect(store.set('s', { keys: { session: { a: 'lost' } } })).rejects.toMatchObject(lost)
        await store.close()
        await untilWritten(path)
      })
      expect(isLost).toBe(true)
      if (loss === '-shm') await expect(createSqliteStore({ path })).rejects.toMatchObject(lost)
      for (const suffix of ['', '-wal']) await copyFile(path + suffix, `${path}.after${suffix}`)
      const after = await createSqliteStore({ path: `${path}.after` })
      const { k0, k1, k2 } = await after.getKeys('s', 'burst', ['k0', 'k1', 'k2'])
      await after.close()
      expect([k1, k2]).toEqual([k0, k0])
      expect(k0).toBeGreaterThanOrEqual(acknowledged)
    },
    120_000,
  )
})

test('a file whose path is a link is looked for at the target of the link', async () => {
  const { folder } = await setUp()
  const [real, link] = [join(folder, 'real.db'), join(folder, 'link.db')]
  await writeFile(real, '')
  await symlink(real, link)
  const store = await createSqliteStore({ path: link, ...QUICK })
  onTestFinished(() => store.close())
  await store.set('s', { creds: CREDS })
  await rm(`${real}-wal`)
  const cutOff = { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('"-wal"') }
  await expect(store.set('s', { keys: { session: { a: 'new' } } })).rejects.toMatchObject(cutOff)
})

test('a second opening of a file leaves the locks of the first alone', async () => {
  const { store, path } = await setUp()
  const second = await createSqliteStore({ path, synchronous: 'normal' })
  const log = (await stat(`${path}-wal`)).ino
  // If another process found no lock, its close would be the last: it would merge the log and delete it.
  const program = new URL('../support/store-process.ts', import.meta.url)
  const module = new URL('../support/sqlite-store-module.ts', import.meta.url).href
  const task = { kind: 'keys', sessionId: 's', prefix: 'other', count: 1 }
  const child = fork(program, [JSON.stringify({ module, options: { path }, task })], {
    execArgv: ['--import', 'tsx'],
  })
  await once(child, 'exit')
  expect((await stat(`${path}-wal`)).ino).toBe(log)
  await store.set('s', { keys: { session: { a: 'new' } } })
  expect(await second.getKeys('s', 'session', ['a'])).toEqual({ a: 'new' })
  await second.close()
})
