import { describe, expect, onTestFinished, test } from 'vitest'
import type { SqliteDatabase } from '../../src/sqlite/driver.js'
import { createSqliteStore, useSqliteAuthState } from '../../src/sqlite/index.js'
import { CREDS } from '../conformance/auth-store/harness.js'
import { Clock, DAY_MS, put, texts } from '../conformance/backend/harness.js'
import { sessionsOf } from '../support/sessions-of.js'
import { createSqliteFile, openSqliteBackend, withDatabase } from '../support/sqlite-database.js'

async function setUp() {
  const file = await createSqliteFile()
  const store = await createSqliteStore({ path: file.path })
  onTestFinished(async () => {
    await store.close()
    await file.remove()
  })
  const change = (sql: string) => withDatabase(file.path, (database: SqliteDatabase) => database.exec(sql))
  return { ...file, store, change }
}

const INCOMPLETE = { code: 'SESSION_INCOMPLETE', sessionId: 's' }

test.each([0, 1, 2 ** 40])(
  'a session whose end is long before its last write (%i) is damaged, and not over',
  async expiresAt => {
    const { store, path, change } = await setUp()
    await store.set('s', { creds: CREDS })
    await change(`UPDATE session SET expires_at = ${expiresAt} WHERE id = 's'`)
    const corrupt = { code: 'CORRUPT_VALUE', sessionId: 's' }
    const other = await createSqliteStore({ path, cache: false, ttl: { defaultTtl: 3600 } })
    onTestFinished(() => other.close())
    await expect(useSqliteAuthState({ sessionId: 's', store: other })).rejects.toMatchObject(corrupt)
    await expect(other.exists('s')).rejects.toMatchObject(corrupt)
    await other.delete('s')
    expect(await other.exists('s')).toBe(false)
  },
)

test.each(['touch', 'claim'] as const)(
  'a session that was written while the clock was ahead is no damage after a %s by the right one',
  async call => {
    const { store, path, change } = await setUp()
    await store.set('s', { creds: CREDS })
    await change(`UPDATE session SET updated_at = ${Date.now() + 2 * DAY_MS}`)
    const other = await createSqliteStore({ path, cache: false, ttl: { defaultTtl: 3600 } })
    onTestFinished(() => other.close())
    await other[call]('s')
    expect((await other.get('s'))?.data.creds).toMatchObject(CREDS)
    await other.claim('s')
  },
)

test('a deletion ends the damaged lease of a session that is not there', async () => {
  const { store, change } = await setUp()
  await store.set('s', { creds: CREDS })
  await store.delete('s')
  await change(`UPDATE session SET lease_until = ${Date.now() + 3 * DAY_MS}`)
  await expect(store.claim('s')).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
  await store.delete('s')
  expect((await store.claim('s')).creds).toBeNull()
})

test('a session whose token leaves no next one is damaged, is deleted, and does not keep others from being opened', async () => {
  const clock = new Clock()
  const file = await createSqliteFile()
  const backend = await openSqliteBackend(file.path, { now: clock.now })
  onTestFinished(async () => {
    await backend.close()
    await file.remove()
  })
  await put(backend, 's', { a: '1' })
  await withDatabase(file.path, database => database.exec(`UPDATE session SET fence = ${2 ** 51}`))
  await expect(backend.claim('s')).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
  await backend.delete('s', { operationId: 'd' })
  clock.advance(3 * DAY_MS)
  expect((await backend.claim('other')).fencingToken).toBeLessThan(2 ** 50)
})

describe('fields whose session has lost its row', () => {
  async function setUpOrphans() {
    const stage = await setUp()
    await stage.store.set('s', { creds: CREDS, keys: { session: { a: 'of s' } } })
    await stage.change("DELETE FROM session WHERE id = 's'")
    return stage
  }

  test('are not part of the next session', async () => {
    const { store } = await setUpOrphans()
    await store.set('t', { creds: CREDS })
    expect(await store.getKeys('t', 'session', ['a'])).toEqual({})
    expect(await store.listKeys('t')).toEqual([])
    expect((await store.get('t'))?.data.keys).toEqual({})
    await store.delete('t')
    await expect(store.get('s')).rejects.toMatchObject(INCOMPLETE)
  })

  test('are half a session, which does not open and is not overwritten', async () => {
    const { store, path } = await setUpOrphans()
    await expect(useSqliteAuthState({ sessionId: 's', store })).rejects.toMatchObject(INCOMPLETE)
    await expect(store.set('s', { creds: CREDS })).rejects.toMatchObject(INCOMPLETE)
    await expect(store.getKeys('s', 'session', ['a'])).rejects.toMatchObject(INCOMPLETE)
    await expect(store.claim('s')).rejects.toMatchObject(INCOMPLETE)
    const other = await createSqliteStore({ path, cache: false })
    await expect(other.exists('s')).rejects.toMatchObject(INCOMPLETE)
    await other.close()
  })

  test('are removed by a deletion, and the session can be paired anew', async () => {
    const { store } = await setUpOrphans()
    await store.delete('s')
    expect(await store.get('s')).toBeNull()
    const { version } = await store.set('s', { creds: CREDS })
    expect(version).toBeGreaterThan(1)
    expect(await store.listKeys('s')).toEqual([])
  })

  test('are also half a session beside the tombstone of a deleted one', async () => {
    const { store, change } = await setUp()
    await store.set('s', { creds: CREDS })
    await store.delete('s')
    await change(
      "INSERT INTO field (session_id, type, id, version, bytes) VALUES ('s', 'session', 'a', 1, x'b10031')",
    )
    await expect(store.set('s', { creds: CREDS })).rejects.toMatchObject(INCOMPLETE)
    await store.delete('s')
    await store.set('s', { creds: CREDS })
    expect(await store.listKeys('s')).toEqual([])
  })
})

describe.each([
  ['version', '-1'],
  ['version', '9007199254740995'],
  ['version', '9223372036854775807'],
  ['fence', '-9223372036854775808'],
  ['updated_at', '-5'],
  ['expires_at', '9007199254740993'],
  ['vacant_since', '-1'],
  ['lease_until', '9007199254740993'],
  ['forks', "'an incarnation of what?'"],
  ['operation', `replace(hex(zeroblob(${1 << 20})), '00', 'x')`],
  // libsql ends a process that reads text in no valid encoding
  ['operation', "CAST(x'ff' AS TEXT)"],
  ['incarnation', "CAST(x'61c328' AS TEXT)"],
  ['forks', "CAST(x'80' AS TEXT)"],
  // no higher version or token is allowed
  ['version', `${2 ** 52}`],
  ['fence', `${2 ** 52 - 5}`],
])('a row of a session whose %s is %s', (column, value) => {
  test('is damage of that session only', async () => {
    const { store, change, path } = await setUp()
    const clock = new Clock()
    clock.nowMs = Date.now() + 3 * DAY_MS
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    await store.set('t', { creds: CREDS })
    await change(`UPDATE session SET ${column} = ${value} WHERE id = 's'`)
    const damaged = { code: 'CORRUPT_VALUE', sessionId: 's', message: expect.stringContaining(`"${column}"`) }
    const calls = [
      () => store.get('s'),
      () => store.exists('s'),
      () => store.getKeys('s', 'session', ['a']),
      () => store.set('s', { creds: CREDS }),
      () => store.claim('s'),
      () => store.touch('s'),
      () => store.delete('s', 1),
      () => store.delete('s', undefined, 1),
      () => store.listKeys('s'),
      () => store.releaseLease('s', 1),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject(damaged)
    const outcomes = await Promise.allSettled([
      store.set('t', { keys: { session: { a: 1 } } }),
      store.set('s', { keys: { session: { a: 1 } } }),
      store.set('u', { creds: CREDS }),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((await store.list()).sessionIds).toEqual(expect.arrayContaining(['t', 'u']))
    const sweeping = await openSqliteBackend(path, { now: clock.now })
    expect((await sweeping.claim('v')).fencingToken).toBeGreaterThan(0)
    expect((await sweeping.claim('v')).fencingToken).toBeLessThan(clock.now() + 10) // a damaged token does not raise the floor
    await sweeping.close()
    await store.delete('s')
    await store.set('s', { creds: CREDS })
    expect(await store.get('s')).toMatchObject({ data: { creds: CREDS, keys: {} } })
  })
})

test.each(['version', 'fence', 'updated_at', 'expires_at', 'vacant_since', 'lease_until'])(
  'a row of a session whose %s is text in no valid encoding is damage of that session only',
  async column => {
    const { store, change } = await setUp()
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    await store.set('t', { creds: CREDS })
    // As after a changed byte in a record's header: the table itself takes no text there.
    const replaceStrict = (from: string, to: string) =>
      `PRAGMA writable_schema = ON;
       UPDATE sqlite_schema SET sql = replace(sql, '${from}', '${to}') WHERE name = 'session';
       PRAGMA writable_schema = RESET;`
    await change(`${replaceStrict(') STRICT', ') ')}
      UPDATE session SET ${column} = CAST(x'ff' AS TEXT) WHERE id = 's';
      ${replaceStrict(') ', ') STRICT')}`)
    await expect(store.get('s')).rejects.toMatchObject({ code: 'CORRUPT_VALUE', sessionId: 's' })
    await expect(store.getKeys('s', 'session', ['a'])).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
    await expect(useSqliteAuthState({ sessionId: 's', store })).rejects.toMatchObject({
      code: 'CORRUPT_VALUE',
    })
    expect(await store.exists('t')).toBe(true)
  },
)

test.each(['type', 'id'])('a field whose %s is not valid text is damage of its session', async column => {
  for (const bytes of ["x'ff'", "x'e282'", "x'eda080'"]) {
    const { store, change } = await setUp()
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    await store.set('t', { creds: CREDS, keys: { session: { a: 1 } } })
    await change(`UPDATE field SET ${column} = CAST(${bytes} AS TEXT) WHERE session_id = 's' AND id = 'a'`)
    const damaged = { code: 'CORRUPT_VALUE', sessionId: 's' }
    await expect(store.get('s')).rejects.toMatchObject(damaged)
    await expect(store.listKeys('s')).rejects.toMatchObject(damaged)
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({})
    expect((await store.get('t'))?.data.keys.session).toEqual({ a: 1 })
    await store.delete('s')
    expect(await store.listKeys('s')).toEqual([])
  }
})

test('a row never passes the highest version and token that it can hold, and a deletion ends them', async () => {
  for (const column of ['version', 'fence']) {
    const { store, change, path } = await setUp()
    await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
    await change(`UPDATE session SET ${column} = ${2 ** 51 - 2 ** 40}`)
    const damaged = { code: 'CORRUPT_VALUE', sessionId: 's', message: expect.stringContaining(`"${column}"`) }
    if (column === 'version') await expect(store.set('s', { creds: CREDS })).rejects.toMatchObject(damaged)
    else await expect(store.claim('s')).rejects.toMatchObject(damaged)
    expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: 1 })
    await store.delete('s')
    // As another process: the store itself goes on from the version that it has seen.
    const backend = await openSqliteBackend(path)
    onTestFinished(() => backend.close())
    const { fencingToken } = await backend.claim('s')
    await put(backend, 's', { b: '1' }, { fencingToken })
    expect(await texts(backend, 's', ['a', 'b'])).toEqual([undefined, '1'])
  }
})

test('a lease that ends later than any lease can is damage, and its session can be deleted', async () => {
  const { store, change } = await setUp()
  await store.set('s', { creds: CREDS })
  await change(`UPDATE session SET lease_until = ${Date.now() + 3 * DAY_MS}`)
  const damaged = { code: 'CORRUPT_VALUE', sessionId: 's' }
  await expect(store.claim('s')).rejects.toMatchObject(damaged)
  await expect(store.claim('s', { exclusive: true })).rejects.toMatchObject(damaged)
  await store.delete('s')
  expect((await store.claim('s')).fencingToken).toBeGreaterThan(0)
})

test('a remembered operation with a damaged version is not acknowledged', async () => {
  const { path, change } = await setUp()
  const backend = await openSqliteBackend(path)
  await put(backend, 's', { a: '1' }, { operationId: 'one' })
  await change("UPDATE session SET operation = 'one 1e99 5' WHERE id = 's'")
  const again = put(backend, 's', { a: '1' }, { operationId: 'one' })
  await expect(again).rejects.toMatchObject({ code: 'CORRUPT_VALUE', sessionId: 's' })
  await backend.close()
})

test('a value longer than any value can be is damage, and is not read', async () => {
  const { store, change } = await setUp()
  await store.set('s', { creds: CREDS, keys: { session: { a: 1, b: 2 } } })
  await change("UPDATE field SET bytes = zeroblob(100000000) WHERE id = 'a'")
  await expect(store.getKeys('s', 'session', ['a'])).rejects.toMatchObject({
    code: 'CORRUPT_VALUE',
    sessionId: 's',
  })
  expect(await store.getKeys('s', 'session', ['b'])).toEqual({ b: 2 })
})

test('an impossible session id is left out of lists, which go on', async () => {
  const { store, change } = await setUp()
  await store.set('z', { creds: CREDS })
  await change(
    `INSERT INTO session (id, version, fence, updated_at) VALUES (replace(hex(zeroblob(${1 << 20})), '00', 'x'), 1, 0, 0)`,
  )
  expect(await store.list({ limit: 1 })).toMatchObject({ sessionIds: ['z'] })
})

test('a session id that is not valid text is left out of lists, on either side of a page', async () => {
  const { store, change } = await setUp()
  const clock = Date.now() - 3 * DAY_MS
  for (const id of ['a', 'b', 'z']) await store.set(id, { creds: CREDS })
  for (const bytes of ["x'61ff'", "x'61fe'", "x'62ff'", "x'ff'", "x'ffff'"]) {
    await change(
      `INSERT INTO session (id, version, fence, updated_at, expires_at) VALUES (CAST(${bytes} AS TEXT), 1, 0, 0, NULL)`,
    )
  }
  await change(
    `INSERT INTO session (id, version, fence, updated_at, expires_at) VALUES (CAST(x'fe' AS TEXT), 1, 0, 0, ${clock})`,
  )
  for (const limit of [1, 2, 3, 10]) {
    const found: string[] = []
    let cursor: string | undefined
    do {
      const page = await store.list({ limit, ...(cursor && { cursor }) })
      found.push(...page.sessionIds)
      cursor = page.cursor ?? undefined
    } while (cursor !== undefined)
    expect(found).toEqual(['a', 'b', 'z'])
  }
  await store.claim('another') // sweeps
})

test('an expired session is kept for a day, for an owner that was stopped; then it is swept', async () => {
  const { path } = await setUp()
  const clock = new Clock()
  const backend = await openSqliteBackend(path, { ttlMs: 1000, now: clock.now })
  const sweep = async () => {
    const sweeping = await openSqliteBackend(path, { ttlMs: 1000, now: clock.now })
    await sweeping.claim('another')
    await sweeping.close()
  }
  const { fencingToken } = await backend.claim('s')
  await put(backend, 's', { a: '1' }, { fencingToken })
  clock.advance(DAY_MS)
  await sweep()
  await put(backend, 's', { b: '2' }, { fencingToken })
  expect(await texts(backend, 's', ['a', 'b'])).toEqual(['1', '2'])
  clock.advance(DAY_MS + 1001)
  await sweep()
  const late = put(backend, 's', { c: '3' }, { fencingToken })
  await expect(late).rejects.toMatchObject({ code: 'FENCED' })
  await backend.close()
})

test.each([
  ['a claim before time began', 'claimed_at = -1'],
  ['an owner with a control character', "owner = 'a' || char(10)"],
  ['a beginning that is no instant', 'created_at = 9007199254740993'],
])('%s is unknown to the catalogue, and harms nothing', async (_, damage) => {
  const { store, change } = await setUp()
  await store.set('s', { creds: CREDS })
  await store.claim('s', { owner: 'worker-1' })
  await change(`UPDATE session SET ${damage} WHERE id = 's'`)
  const info = await store.describe('s')
  expect([info?.createdAt ?? null, info?.owner?.label ?? null]).toContain(null)
  expect((await store.claim('s', { owner: 'worker-2' })).creds).toEqual(CREDS)
  expect((await store.describe('s'))?.owner?.label).toBe('worker-2')
})

test('a damaged session is told from the others in a catalogue', async () => {
  const { store, change } = await setUp()
  await store.set('s', { creds: CREDS })
  await store.set('s2', { creds: CREDS })
  await change("UPDATE session SET version = -1 WHERE id = 's'")
  const found = (await sessionsOf(store)).map(({ sessionId, isDamaged }) => [sessionId, isDamaged])
  expect(found).toEqual([
    ['s', true],
    ['s2', undefined],
  ])
  await expect(store.describe('s')).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
})

test('a session of an earlier release is described as far as it is known, and in full after its next save', async () => {
  const { store, change } = await setUp()
  await store.set('s', { creds: { ...CREDS, me: { id: '1@s.whatsapp.net' } } })
  await change(`
    UPDATE session SET created_at = NULL;
    UPDATE field SET bytes = unhex(substr(hex(bytes), 1, 2) || '01' || substr(hex(bytes), 5)) WHERE type = 'creds'
  `)
  const before = await store.describe('s')
  expect(before).toMatchObject({ isPaired: null, createdAt: null, owner: null })
  const { data } = (await store.getCreds('s')) ?? {}
  await store.set('s', { creds: data })
  await store.claim('s', { owner: 'worker-1' })
  expect(await store.describe('s')).toMatchObject({ isPaired: true, owner: { label: 'worker-1' } })
  expect((await sessionsOf(store, { pairedOnly: true })).map(({ sessionId }) => sessionId)).toEqual(['s'])
})
