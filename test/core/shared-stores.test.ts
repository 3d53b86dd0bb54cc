import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest'
import { type SqliteOptions, useSqliteAuthState } from '../../src/sqlite/index.js'
import { makeLogger } from '../support/logger.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shared-stores-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function open(sessionId: string, options: Partial<SqliteOptions> = {}) {
  const sqlite = { path: join(folder, 'auth.db'), ...options } as SqliteOptions
  const bot = await useSqliteAuthState({ sessionId, sqlite })
  onTestFinished(() => bot.close())
  return bot
}

const { logger } = makeLogger()
const EQUAL: [string, () => Partial<SqliteOptions>][] = [
  ['the same file', () => ({})],
  ['the same master key', () => ({ masterKey: 'ab'.repeat(32) })],
  ['the same members in another order', () => (Math.random() < 0.5 ? ONE_ORDER : OTHER_ORDER)],
  ['the same logger', () => ({ security: { logger } })],
]
const ONE_ORDER = { ttl: { defaultTtl: 3600 }, cache: false } as const
const OTHER_ORDER = { cache: false, ttl: { defaultTtl: 3600 } } as const

test.each(EQUAL)('hooks that are given %s share a store, until the last one closes', async (_, options) => {
  const [one, other] = [await open('one', options()), await open('other', options())]
  expect(other.store).toBe(one.store)
  await one.close()
  await one.close()
  await other.state.keys.set({ session: { a: new Uint8Array([1]) } })
  await other.close()
  await expect(one.store.get('one')).rejects.toMatchObject({ code: 'CLOSED' })
  expect((await open('other', options())).store).not.toBe(one.store)
})

test.each<[string, Partial<SqliteOptions>, Partial<SqliteOptions>]>([
  ['master keys', { masterKey: 'ab'.repeat(32) }, { masterKey: 'cd'.repeat(32) }],
  ['times', { ttl: { defaultTtl: 3600 } }, { ttl: { defaultTtl: 7200 } }],
  ['loggers', { security: { logger: makeLogger().logger } }, { security: { logger: makeLogger().logger } }],
])('hooks that are given other %s have a store each', async (_, first, second) => {
  expect((await open('one', first)).store).not.toBe((await open('other', second)).store)
})

test('a list that is too long is refused without a look at all of it', async () => {
  const masterKeys = new Array(2 ** 32 - 1)
  await expect(open('one', { masterKeys })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
})

test('hooks on databases in memory have one each', async () => {
  const [one, other] = [await open('one', { path: ':memory:' }), await open('one', { path: ':memory:' })]
  expect(other.state.creds.noiseKey).not.toEqual(one.state.creds.noiseKey)
})

test('hooks that open at once share a store, and one scrape sees both', async () => {
  const [one, other] = await Promise.all([open('one'), open('other')])
  expect(other.store).toBe(one.store)
  await other.saveCreds()
  expect(await one.store.getMetricsText()).toMatch(/_count\{operation="set",[^}]*\} 3\n/)
})

test('a hook does not get a store that somebody has closed', async () => {
  const one = await open('one')
  await one.store.close()
  const other = await open('other')
  await other.saveCreds()
  expect((await open('third')).store).toBe(other.store)
  await one.close()
  await other.saveCreds()
})

test('a hook that cannot open its session gives the store back', async () => {
  const one = await open('one', { masterKey: 'ab'.repeat(32) })
  const stranger = await open('stranger', { masterKey: 'cd'.repeat(32) })
  await expect(open('one', { masterKey: 'cd'.repeat(32) })).rejects.toMatchObject({
    code: 'DECRYPTION_FAILED',
  })
  await stranger.saveCreds()
  await stranger.close()
  await expect(stranger.store.get('one')).rejects.toMatchObject({ code: 'CLOSED' })
  await one.saveCreds()
})
