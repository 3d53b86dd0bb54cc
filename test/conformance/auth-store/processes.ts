import type { AuthStore, Rewind } from '../../../src/index.js'
import { CREDS, type CreateStoreDatabase, setUp } from './harness.js'

export const write = (store: AuthStore, values: Record<string, unknown>, token?: number) =>
  store.set('s', { keys: { session: values } }, undefined, token)
export const read = (store: AuthStore, ids: string[], token?: number) =>
  store.getKeys('s', 'session', ids, token)

/** Three processes, and what each has reported of rewinds. `now`: the clock of the database. */
export async function setUpProcesses(create: CreateStoreDatabase, now?: () => number) {
  const { database, openElsewhere } = await setUp(create)
  const rewinds: Rewind[][] = []
  const processes = await Promise.all(
    ['one', 'another', 'a third'].map(async (_, i) => {
      const store = await openElsewhere(null, now)
      const own: Rewind[] = []
      rewinds[i] = own
      store.onRewind(rewind => own.push(rewind))
      return store
    }),
  )
  const [one, another, third] = processes as [AuthStore, AuthStore, AuthStore]
  return { database, openElsewhere, one, another, third, rewinds }
}

/** A session of version 1 that every process has seen, and how to go back to it. */
export async function setUpSession(create: CreateStoreDatabase, now?: () => number) {
  const processes = await setUpProcesses(create, now)
  const { database, one, another, third } = processes
  await one.set('s', { creds: CREDS, keys: { session: { k: 'first' } } })
  for (const store of [one, another, third]) await store.get('s')
  return { ...processes, restore: await database.remember() }
}
