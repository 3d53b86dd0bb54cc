import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../../src/sqlite/driver.js'
import { createSqliteStore, type SqliteOptions } from '../../src/sqlite/index.js'
import { openConnection } from '../../src/sqlite/open-connection.js'
import { NO_ROW } from '../../src/sqlite/rows.js'
import { writeInTime } from '../support/frozen-server.js'

const CREDS = { registrationId: 1 }

async function setUp(options: SqliteOptions = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'sqlite-fault-'))
  const path = join(folder, 'auth.db')
  const store = await createSqliteStore({ path, ...options })
  await store.set('s', { creds: CREDS })
  const other = await openDatabase(path)
  onTestFinished(async () => {
    other.close()
    await store.close()
    await rm(folder, { recursive: true })
  })
  return { store, other, path }
}

describe('a file that another process has locked', () => {
  test('makes writes wait, without holding up the process', async () => {
    const { store, other } = await setUp()
    other.exec('BEGIN IMMEDIATE')
    let turns = 0
    const turning = setInterval(() => turns++, 1)
    const writing = store.set('s', { keys: { session: { a: 1 } } })
    await sleep(300)
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({})
    other.exec('COMMIT')
    await writing
    clearInterval(turning)
    expect(turns).toBeGreaterThan(10) // SQLite itself waits for at most 20 ms at a time
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: 1 })
  })

  test('fails writes by their deadline with the reason, and they are not applied later', async () => {
    const { store, other } = await setUp({ resilience: { operationTimeout: 200 } })
    other.exec('BEGIN IMMEDIATE')
    const late = store.set('s', { keys: { session: { a: 1 } } })
    await expect(late).rejects.toMatchObject({
      code: expect.stringMatching(/^(STORE_UNAVAILABLE|TIMEOUT)$/),
      message: expect.stringMatching(/SQLite at .*auth\.db.*: another process holds the lock of the file/),
      cause: { code: expect.stringContaining('BUSY') },
    })
    await sleep(50)
    other.exec('COMMIT')
    await writeInTime(store, { keys: { session: { b: 2 } } })
    expect(await store.getKeys('s', 'session', ['a', 'b'])).toEqual({ b: 2 })
  })
})

describe('a full disk', () => {
  test('refuses a write without room as a whole, and the store goes on when there is room again', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sqlite-full-'))
    const database = await openDatabase(join(folder, 'auth.db'))
    const store = await createSqliteStore({ database, resilience: { maxRetries: 0 } })
    onTestFinished(async () => {
      await store.close()
      database.close()
      await rm(folder, { recursive: true })
    })
    await store.set('s', { creds: CREDS, keys: { session: { a: 'before' } } })
    const { page_count: pages } = database.prepare('PRAGMA page_count').get() as { page_count: number }
    database.exec(`PRAGMA max_page_count = ${pages + 2}`)
    const large = { bytes: Buffer.alloc(100_000) }
    const outcomes = await Promise.allSettled([
      store.set('s', { keys: { session: { a: 'after', large } } }),
      store.set('s', { keys: { session: { b: 1, large, c: 1 } } }),
    ])
    expect(outcomes).toMatchObject([
      {
        status: 'rejected',
        reason: { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('disk is full') },
      },
      { status: 'rejected', reason: { code: 'STORE_UNAVAILABLE' } },
    ])
    expect((await store.get('s'))?.data.keys).toEqual({ session: { a: 'before' } })
    database.exec('PRAGMA max_page_count = 100000')
    await store.set('s', { keys: { session: { large } } })
    expect(await store.getKeys('s', 'session', ['large'])).toEqual({ large })
  })
})

test('a write that fails half-way leaves nothing, and fails no other write of its batch', async () => {
  const { store, path } = await setUp()
  const { connection, release } = await openConnection({ path })
  const row = { ...NO_ROW, version: 1, fence: 0 }
  const failing = connection.write(1000, statements => {
    statements.putSession({ id: 't', ...row })
    throw new Error('the driver has failed')
  })
  const neighbour = connection.write(1000, statements => statements.putSession({ id: 'u', ...row }))
  await expect(failing).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await neighbour
  expect((await store.list()).sessionIds).toEqual(['s', 'u'])
  await release()
})

test('concurrent writes share one flush to the disk', async () => {
  const { store, other } = await setUp()
  const countCommits = () =>
    (other.prepare('PRAGMA data_version').get() as { data_version: number }).data_version
  const before = countCommits()
  await Promise.all(
    Array.from({ length: 200 }, (_, n) => store.set('s', { keys: { session: { [`k${n}`]: n } } })),
  )
  expect(countCommits() - before).toBe(1)
  expect(await store.listKeys('s', 'session')).toHaveLength(200)
})
