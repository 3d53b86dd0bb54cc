import { expect, onTestFinished, test } from 'vitest'
import { createSqliteStore, useSqliteAuthState } from '../../src/sqlite/index.js'
import { parseMetrics } from '../support/parse-metrics.js'

async function setUp() {
  const store = await createSqliteStore({ path: ':memory:' })
  onTestFinished(() => store.close())
  const read = async () => parseMetrics(await store.getMetricsText())
  return { store, read }
}

test('written and deleted keys are counted by type, and unknown types as one', async () => {
  const { store, read } = await setUp()
  const { state } = await useSqliteAuthState({ sessionId: 's', store })
  const keyPair = { public: Buffer.alloc(32, 1), private: Buffer.alloc(32, 2) }
  await state.keys.set({ 'pre-key': { 1: keyPair, 2: keyPair, 3: keyPair }, 'lid-mapping': { a: 'b' } })
  await state.keys.set({ 'pre-key': { 1: null, 2: keyPair } })
  await store.set('s', { keys: { later: { a: 1 }, 'much-later': { a: 1 } } })
  expect(await read()).toMatchObject({
    'baileys_store_keys_written_total{type="pre-key"}': 4,
    'baileys_store_keys_deleted_total{type="pre-key"}': 1,
    'baileys_store_keys_written_total{type="lid-mapping"}': 1,
    'baileys_store_keys_written_total{type="other"}': 2,
    'baileys_store_keys_written_total{type="creds"}': 1,
  })
})

test('openings, deletions and paired sessions are counted', async () => {
  const { store, read } = await setUp()
  const one = await useSqliteAuthState({ sessionId: 'one', store })
  const other = await useSqliteAuthState({ sessionId: 'other', store })
  expect(await read()).toMatchObject({
    baileys_store_sessions_open: 2,
    baileys_store_sessions_open_paired: 0,
    baileys_store_sessions_opened_total: 2,
  })
  one.state.creds.me = { id: '1@s.whatsapp.net' }
  await one.saveCreds()
  expect(await read()).toMatchObject({ baileys_store_sessions_open_paired: 1 })
  await one.close()
  expect(await read()).toMatchObject({
    baileys_store_sessions_open: 1,
    baileys_store_sessions_open_paired: 0,
  })
  const again = await useSqliteAuthState({ sessionId: 'one', store })
  expect(await read()).toMatchObject({ baileys_store_sessions_open_paired: 1 })
  await again.remove()
  await other.close()
  expect(await read()).toMatchObject({
    baileys_store_sessions_open: 0,
    baileys_store_sessions_open_paired: 0,
    baileys_store_sessions_opened_total: 3,
    baileys_store_sessions_deleted_total: 1,
  })
})
