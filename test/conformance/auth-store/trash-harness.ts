import type { AuthStore } from '../../../src/index.js'
import { sessionsOf } from '../../support/sessions-of.js'
import { CREDS, type CreateStoreDatabase, setUp } from './harness.js'

export const HOUR_MS = 60 * 60 * 1000
export const PAIRED = { ...CREDS, me: { id: '15550001234:1@s.whatsapp.net' } }
export const SESSION = {
  creds: PAIRED,
  keys: { session: { a: Buffer.from('a'), b: 2 }, 'pre-key': { 1: 'one' } },
  appState: { greeted: true },
}

export const dataOf = async (store: AuthStore, sessionId = 's') => (await store.get(sessionId))?.data ?? null
export const deletedOf = async (store: AuthStore) =>
  (await sessionsOf(store, { deleted: true })).map(({ sessionId }) => sessionId).sort()

/** A session was deleted; `before`: what it held. */
export async function setUpDeleted(create: CreateStoreDatabase) {
  const { open, openBackend } = await setUp(create)
  const store = await open()
  await store.set('s', SESSION)
  const before = await dataOf(store)
  await store.delete('s')
  return { open, openBackend, store, before }
}
