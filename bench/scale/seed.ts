/** Fills the database in a process of its own, so that what it takes is not counted, and tells what creds weigh. */
import { forEach } from '../../src/core/for-each.js'
import { makeSession } from '../values.js'
import type { ScaleOptions } from './arguments.js'
import { type Database, openStore } from './database.js'
import { type Memory, measureMemory, share } from './memory.js'
import { addressOf, makeCreds, sessionIdOf } from './values.js'

/** More would give the same mean. */
const MAX_WEIGHED = 2000

export type SeedOptions = Pick<ScaleOptions, 'sessions' | 'keys' | 'concurrency'> & { database: Database }

const { sessions, keys, concurrency, database }: SeedOptions = JSON.parse(process.argv[2] ?? '')
const { store } = await openStore(database)
const indexes = Array.from({ length: sessions }, (_, index) => index)
await forEach(indexes, concurrency, async index => {
  const records = Array.from({ length: keys }, (_, i) => [addressOf(i), makeSession()])
  const patch = { creds: makeCreds(index), keys: { session: Object.fromEntries(records) } }
  await store.set(sessionIdOf(index), patch)
})
process.send?.(await weighCreds(), () => process.exit())

/** Memory of one session's creds, as the store hands them out. */
async function weighCreds(): Promise<Memory> {
  const count = Math.min(sessions, MAX_WEIGHED)
  const held: unknown[] = []
  const read = async (index: number) => (await store.get(sessionIdOf(index)))?.data.creds
  await forEach(indexes.slice(0, count), concurrency, async index => void (await read(index)))
  const before = await measureMemory()
  await forEach(indexes.slice(0, count), concurrency, async index => void held.push(await read(index)))
  const after = await measureMemory()
  return share(before, after, held.length)
}
