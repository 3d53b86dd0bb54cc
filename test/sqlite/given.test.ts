import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Libsql from 'libsql'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openDatabase, type SqliteDatabase } from '../../src/sqlite/driver.js'
import { createSqliteStore } from '../../src/sqlite/index.js'
import { CREDS } from '../conformance/auth-store/harness.js'

async function setUp() {
  const folder = await mkdtemp(join(tmpdir(), 'sqlite-given-'))
  const path = join(folder, 'auth.db')
  const database = await openDatabase(path)
  onTestFinished(async () => {
    database.close()
    await rm(folder, { recursive: true })
  })
  return { folder, path, database }
}

/** The schema and settings of the file. */
function dump(database: SqliteDatabase): unknown {
  return [
    database.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY name').all(),
    database.prepare('PRAGMA user_version').get(),
    database.prepare('PRAGMA journal_mode').get(),
  ].map(each => JSON.stringify(each, (key, value) => (key === '_metadata' ? undefined : value)))
}

describe('a foreign database is refused and left as it is', () => {
  test.each([
    ['of version 1', 'CREATE TABLE bot (id TEXT); PRAGMA user_version = 1'],
    [
      'of version 2, with a table named session',
      'CREATE TABLE session (id TEXT, data TEXT); PRAGMA user_version = 2',
    ],
    ['of the version of this store', 'CREATE TABLE session (id TEXT, data TEXT); PRAGMA user_version = 4'],
    ['of a later version', 'CREATE TABLE bot (id TEXT); PRAGMA user_version = 99'],
    [
      'without a version, with a table named session',
      'CREATE TABLE session (sid TEXT, sess TEXT, expire TEXT)',
    ],
    ['without a version, with a table named Field', 'CREATE TABLE Field (a TEXT)'],
    ['without a version, with a view named floor', 'CREATE VIEW floor AS SELECT 1 AS version'],
  ])('%s', async (_, sql) => {
    const { database, path } = await setUp()
    database.exec(sql)
    const before = dump(database)
    const foreign = { code: 'INVALID_OPTION', message: expect.stringContaining('another application') }
    await expect(createSqliteStore({ database })).rejects.toMatchObject(foreign)
    await expect(createSqliteStore({ path })).rejects.toMatchObject(foreign)
    expect(dump(database)).toEqual(before)
  })

  test.each([1, 3, -1])('with the tables of this store under another version: %i', async version => {
    const { database, path } = await setUp()
    const store = await createSqliteStore({ database })
    await store.set('s', { creds: { registrationId: 7 } })
    await store.close()
    database.exec(`PRAGMA journal_mode = WAL; PRAGMA user_version = ${version}`)
    const before = dump(database)
    await expect(createSqliteStore({ path })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect(dump(database)).toEqual(before)
  })

  test.each([
    ['a trigger', 'CREATE TRIGGER guard BEFORE INSERT ON field BEGIN SELECT RAISE(IGNORE); END'],
    ['a trigger', 'CREATE TRIGGER guard AFTER UPDATE ON Session BEGIN DELETE FROM field; END'],
    [
      'a TEMP trigger',
      'CREATE TEMP TRIGGER guard BEFORE DELETE ON main.field BEGIN SELECT RAISE(IGNORE); END',
    ],
    ['a unique index', 'CREATE UNIQUE INDEX guard ON field (id)'],
    ['a unique index', 'CREATE UNIQUE INDEX guard ON session (updated_at) WHERE version > 5'],
    ['a TEMP table', 'CREATE TEMP TABLE session AS SELECT * FROM main.session'],
    ['a TEMP view', 'CREATE TEMP VIEW Field AS SELECT * FROM main.field'],
  ])('with %s between a write and its row: %s', async (what, sql) => {
    const { database } = await setUp()
    await (await createSqliteStore({ database })).close()
    database.exec(sql)
    const message = expect.stringMatching(new RegExp(`${what}.*(guard|session|field)`, 'i'))
    await expect(createSqliteStore({ database })).rejects.toMatchObject({ code: 'INVALID_OPTION', message })
    expect(database.prepare('SELECT count(*) AS n FROM main.session').get()).toMatchObject({ n: 0 })
  })

  test('unless it only adds an index that is not unique', async () => {
    const { database } = await setUp()
    await (await createSqliteStore({ database })).close()
    database.exec('CREATE INDEX theirs ON session (updated_at)')
    await expectToWork(database)
  })

  test('unless it only has other tables, which are kept', async () => {
    const { database } = await setUp()
    database.exec("CREATE TABLE bot (id TEXT); INSERT INTO bot VALUES ('mine')")
    const store = await createSqliteStore({ database })
    await store.set('s', { creds: CREDS })
    await store.close()
    expect(database.prepare('SELECT id FROM bot').get()).toMatchObject({ id: 'mine' })
  })
})

describe('a given database works with its own settings', () => {
  test.each([
    'PRAGMA foreign_keys = ON',
    'PRAGMA case_sensitive_like = ON',
    'PRAGMA count_changes = ON',
    'PRAGMA journal_mode = DELETE',
    'PRAGMA journal_mode = TRUNCATE',
    'PRAGMA journal_mode = WAL',
    'PRAGMA locking_mode = EXCLUSIVE',
    'PRAGMA recursive_triggers = ON',
    'PRAGMA reverse_unordered_selects = ON',
    "PRAGMA encoding = 'UTF-16'",
  ])('%s', async sql => {
    const { database } = await setUp()
    database.exec(sql)
    await expectToWork(database)
  })

  test('safe integers', async () => {
    const { path } = await setUp()
    const database = new Libsql(path) as unknown as SqliteDatabase & {
      defaultSafeIntegers(isOn: boolean): void
    }
    onTestFinished(() => void database.close())
    database.defaultSafeIntegers(true)
    await expectToWork(database)
  })

  test('rows as lists', async () => {
    const { database } = await setUp()
    const prepare = (sql: string) => {
      const statement = database.prepare(sql) as ReturnType<SqliteDatabase['prepare']> & { raw(): void }
      if (/^\s*(SELECT|PRAGMA)/.test(sql)) statement.raw()
      return statement
    }
    await expectToWork({ exec: sql => database.exec(sql), prepare, close: () => database.close() })
  })
})

async function expectToWork(database: SqliteDatabase): Promise<void> {
  const store = await createSqliteStore({ database })
  await store.set('s', { creds: CREDS, keys: { session: { a: 1, b: Buffer.from('b') } } })
  const { fencingToken, version } = await store.claim('s')
  expect([fencingToken > 0, version]).toEqual([true, 1])
  await store.set('s', { keys: { session: { a: null } } }, 1, fencingToken)
  expect((await store.get('s'))?.data).toEqual({ creds: CREDS, keys: { session: { b: Buffer.from('b') } } })
  expect(await store.list()).toEqual({ sessionIds: ['s'], cursor: null })
  await store.delete('s')
  await store.close()
  const again = await createSqliteStore({ database })
  expect(await again.get('s')).toBeNull()
  await again.close()
}

test('a journal that cannot undo a write is refused', async () => {
  const { database } = await setUp()
  database.exec('PRAGMA journal_mode = OFF')
  await expect(createSqliteStore({ database })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('journal_mode'),
  })
})

test('a transaction that the caller has open in a given database fails calls until it ends', async () => {
  const { database } = await setUp()
  const store = await createSqliteStore({ database, resilience: { maxRetries: 0 } })
  await store.set('s', { creds: CREDS })
  database.exec('BEGIN; CREATE TABLE mine (id TEXT)')
  await expect(store.set('s', { keys: { session: { a: 1 } } })).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
  })
  await expect(store.get('s')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  database.exec('ROLLBACK')
  await store.set('s', { keys: { session: { a: 1 } } })
  await store.close()
})

test('the path of a folder is refused', async () => {
  const { folder } = await setUp()
  await expect(createSqliteStore({ path: folder })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('folder'),
  })
})

test('the path of a device, or of a link that leads nowhere, is refused', async () => {
  const { folder } = await setUp()
  const link = join(folder, 'link.db')
  await symlink(join(folder, 'nothing.db'), link)
  for (const path of ['/dev/null', link]) {
    await expect(createSqliteStore({ path })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/no regular file|leads nowhere/),
    })
  }
})
