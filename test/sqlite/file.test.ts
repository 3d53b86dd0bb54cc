import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { link, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openDatabase } from '../../src/sqlite/driver.js'
import { createSqliteStore, useSqliteAuthState } from '../../src/sqlite/index.js'
import { RELEASED_SCHEMAS } from '../support/released-schemas.js'
import { withDatabase } from '../support/sqlite-database.js'

const CREDS = { registrationId: 1 }

async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sqlite-file-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  return folder
}

test('a new file and those beside it are readable by their owner only', async () => {
  const path = join(await createFolder(), 'auth.db')
  const store = await createSqliteStore({ path })
  await store.set('s', { creds: CREDS })
  for (const suffix of ['', '-wal', '-shm']) expect((await stat(path + suffix)).mode & 0o777).toBe(0o600)
  await store.close()
})

test('an existing file keeps its mode', async () => {
  const path = join(await createFolder(), 'auth.db')
  await writeFile(path, '', { mode: 0o640 })
  await (await createSqliteStore({ path })).close()
  expect((await stat(path)).mode & 0o777).toBe(0o640)
})

test.each([
  ['~/auth.db', 'without "~"'],
  ['~bob/auth.db', 'without "~"'],
  ['file:auth.db', 'not a URL'],
  ['file:///tmp/auth.db', 'not a URL'],
  ['sqlite://auth.db', 'not a URL'],
  ['./new/', 'not of a folder'],
])('the path %s is refused, and the message says why', async (path, why) => {
  const refused = { code: 'INVALID_OPTION', message: expect.stringContaining(why) }
  await expect(createSqliteStore({ path })).rejects.toMatchObject(refused)
})

test('no error quotes a path with a phone number, not even its cause', async () => {
  const folder = await createFolder()
  const path = join(folder, '5511987654321', 'auth.db')
  const error = await createSqliteStore({ path }).catch((thrown: Error) => thrown)
  expect(error).toMatchObject({ code: 'INVALID_OPTION', cause: { code: 'ENOENT' } })
  expect(inspect(error)).not.toContain('5511987654321')
})

test('errors name the file, and mask numbers in it', async () => {
  const path = join(await createFolder(), 'bot-15550001234.db')
  await writeFile(path, 'no database')
  const damaged = {
    code: 'CORRUPT_VALUE',
    message: expect.stringContaining('bot-…34.db" is no SQLite database'),
  }
  await expect(createSqliteStore({ path })).rejects.toMatchObject(damaged)
  await rm(path)
  const store = await createSqliteStore({ path })
  onTestFinished(() => store.close())
  await rm(path)
  const gone = {
    code: 'STORE_UNAVAILABLE',
    message: expect.stringMatching(/^SQLite at .*bot-…34\.db is unavailable/),
  }
  await expect(store.set('s', { creds: CREDS })).rejects.toMatchObject(gone)
})

test('a file with two names is refused, since each would get a log of its own', async () => {
  const folder = await createFolder()
  const [path, other] = [join(folder, 'a.db'), join(folder, 'b.db')]
  await (await createSqliteStore({ path })).close()
  await link(path, other)
  const refused = { code: 'INVALID_OPTION', message: expect.stringContaining('2 names (hard links)') }
  for (const name of [path, other])
    await expect(createSqliteStore({ path: name })).rejects.toMatchObject(refused)
  const database = await openDatabase(path)
  onTestFinished(() => void database.close())
  await expect(createSqliteStore({ database })).rejects.toMatchObject(refused)
  await rm(other)
  await (await createSqliteStore({ path })).close()
})

test('a file that is mounted by itself is refused, since its log would stay behind', async ({ skip }) => {
  const canMount = spawnSync('unshare', ['--mount', 'true']).status === 0
  skip(!canMount, 'this user may not mount')
  const folder = await createFolder()
  const [outside, inside] = [join(folder, 'volume.db'), join(folder, 'with space.db')]
  await (await createSqliteStore({ path: outside })).close()
  await writeFile(inside, '')
  const open = fileURLToPath(new URL('../support/open-sqlite.ts', import.meta.url))
  const script = 'mount --bind "$1" "$2" && exec node --import tsx "$3" "$2"'
  const { stdout, stderr } = spawnSync(
    'unshare',
    ['--mount', 'sh', '-c', script, 'sh', outside, inside, open],
    {
      encoding: 'utf8',
    },
  )
  expect(stdout + stderr).toContain('with space.db" is mounted by itself')
})

test('a new file uses a write-ahead log, so that readers do not wait for writers', async () => {
  const path = join(await createFolder(), 'auth.db')
  await (await createSqliteStore({ path })).close()
  const mode = await withDatabase(path, database => database.prepare('PRAGMA journal_mode').get())
  expect(mode).toMatchObject({ journal_mode: 'wal' })
})

test.each([
  [{}, 'full'],
  [{ synchronous: 'full' }, 'full'],
  [{ synchronous: 'normal' }, 'normal'],
] as const)('a file opened with %j is flushed with synchronous = %s', async (options, level) => {
  const path = join(await createFolder(), 'auth.db')
  const driver = await openDatabase(':memory:')
  const exec = vi.spyOn(Object.getPrototypeOf(driver), 'exec')
  onTestFinished(() => exec.mockRestore())
  await (await createSqliteStore({ path, ...options })).close()
  expect(exec).toHaveBeenCalledWith(`PRAGMA synchronous = ${level}`)
})

test.each(RELEASED_SCHEMAS)('a file of schema %i is migrated with its contents', async (_, schema) => {
  const path = join(await createFolder(), 'auth.db')
  await withDatabase(path, database =>
    database.exec(`${schema}
      INSERT INTO session (key, id, version, fence, updated_at) VALUES (1, 's', 7, 3, 5), (2, 't', 1, 0, 5);
      INSERT INTO field (session, type, id, version, bytes) VALUES
        (1, 'creds', '', 1, ${json('{"registrationId":7}')}), (1, 'session', 'a', 7, ${json('"of s"')}),
        (2, 'session', 'a', 1, ${json('"of t"')}), (3, 'session', 'a', 1, ${json('"of nobody"')});`),
  )
  const store = await createSqliteStore({ path })
  expect(await store.get('s')).toMatchObject({
    version: 7,
    data: { creds: { registrationId: 7 }, keys: { session: { a: 'of s' } } },
  })
  expect(await store.getKeys('t', 'session', ['a'])).toEqual({ a: 'of t' })
  for (const sessionId of ['3', 'u']) expect(await store.get(sessionId)).toBeNull()
  expect((await store.claim('s', { exclusive: true })).fencingToken).toBeGreaterThan(3)
  await expect(store.claim('s')).rejects.toMatchObject({ code: 'SESSION_LOCKED' })
  await store.close()
  // An earlier version that still has the file open must not write by the old numbers.
  await withDatabase(path, database => expect(() => database.prepare('SELECT session FROM field')).toThrow())
})

test('a file of a later version is refused and left as it is', async () => {
  const path = join(await createFolder(), 'auth.db')
  await (await createSqliteStore({ path })).close()
  await withDatabase(path, database =>
    database.exec('PRAGMA user_version = 99; PRAGMA wal_checkpoint(TRUNCATE)'),
  )
  const before = await readFile(path)
  await expect(createSqliteStore({ path })).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' })
  expect((await readFile(path)).equals(before)).toBe(true)
})

test('a file that is not a database is refused and left as it is', async () => {
  const path = join(await createFolder(), 'auth.db')
  await writeFile(path, 'x'.repeat(5000))
  const refused = { code: 'CORRUPT_VALUE', message: expect.stringContaining('give another "path"') }
  await expect(createSqliteStore({ path })).rejects.toMatchObject(refused)
  expect(await readFile(path, 'utf8')).toBe('x'.repeat(5000))
})

test('a path in a missing folder, and the path of a folder, are refused', async () => {
  const folder = await createFolder()
  const missing = createSqliteStore({ path: join(folder, 'none', 'auth.db') })
  await expect(missing).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await expect(createSqliteStore({ path: folder })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
})

test('an empty file can be set up by four processes at once, which all write', async () => {
  const path = join(await createFolder(), 'auth.db')
  const program = fileURLToPath(new URL('../support/store-process.ts', import.meta.url))
  const module = new URL('../support/sqlite-store-module.ts', import.meta.url).href
  const children = ['a', 'b', 'c', 'd'].map(prefix => {
    const task = { kind: 'keys', sessionId: 's', prefix, count: 5, creds: CREDS }
    return fork(program, [JSON.stringify({ module, options: { path }, task })], {
      execArgv: ['--import', 'tsx'],
    })
  })
  const exits = await Promise.all(children.map(child => once(child, 'exit')))
  expect(exits.map(([code]) => code)).toEqual([0, 0, 0, 0])
  const store = await createSqliteStore({ path })
  expect(await store.listKeys('s')).toHaveLength(20)
  await store.close()
})

test('stores on one file share one connection, however the file is named; the last close closes it', async () => {
  const folder = await createFolder()
  const path = join(folder, 'auth.db')
  await symlink(folder, `${folder}-link`)
  onTestFinished(() => rm(`${folder}-link`))
  const paths = [path, relative(process.cwd(), path), join(`${folder}-link`, 'auth.db')]
  const stores = await Promise.all(paths.map(each => createSqliteStore({ path: each })))
  const descriptors = await countDescriptors(path)
  const more = await Promise.all(Array.from({ length: 50 }, () => createSqliteStore({ path })))
  expect(await countDescriptors(path)).toBe(descriptors)
  for (const store of [...stores.slice(1), ...more]) await store.close()
  await stores[0]?.set('s', { creds: CREDS })
  await stores[0]?.close()
  await expect(stores[0]?.get('s')).rejects.toMatchObject({ code: 'CLOSED' })
})

test('the last close leaves everything in the file itself', async () => {
  const path = join(await createFolder(), 'auth.db')
  const store = await createSqliteStore({ path })
  await store.set('s', { creds: CREDS })
  await store.close()
  const log = await stat(`${path}-wal`).catch(() => ({ size: 0 }))
  expect(log.size).toBe(0)
})

test('a hundred hooks on one file hold one connection', async () => {
  const path = join(await createFolder(), 'auth.db')
  const sessions = Array.from({ length: 100 }, (_, n) => `bot-${n}`)
  const hooks = await Promise.all(
    sessions.map(sessionId => useSqliteAuthState({ sessionId, sqlite: { path } })),
  )
  expect(await countDescriptors(path)).toBe(1)
  await Promise.all(hooks.map(({ close }) => close()))
})

test('a given database is used and never closed', async () => {
  const database = await openDatabase(join(await createFolder(), 'auth.db'))
  const store = await createSqliteStore({ database })
  await store.set('s', { creds: CREDS })
  await store.close()
  expect(database.prepare('SELECT count(*) AS n FROM session').get()).toMatchObject({ n: 1 })
  const again = await createSqliteStore({ database })
  expect((await again.get('s'))?.data.creds).toEqual(CREDS)
  await again.close()
  database.close()
})

test('sessions in memory are gone with their store, and shared with no other', async () => {
  const store = await createSqliteStore({ path: ':memory:' })
  await store.set('s', { creds: CREDS })
  const other = await createSqliteStore({ path: ':memory:' })
  expect(await other.get('s')).toBeNull()
  await Promise.all([store.close(), other.close()])
})

/** How many times this process has the database file itself open. */
async function countDescriptors(path: string): Promise<number> {
  const names = await readdir('/proc/self/fd')
  const targets = await Promise.all(names.map(name => readlink(`/proc/self/fd/${name}`).catch(() => '')))
  return targets.filter(target => target === path).length
}

/** A value as it is stored in the clear, as SQL. */
function json(text: string): string {
  return `x'b100${Buffer.from(text).toString('hex')}'`
}
