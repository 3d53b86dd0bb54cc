import { SessionMemory } from '../../../src/core/store/session-memory.js'
import type { AuthStore } from '../../../src/index.js'
import { toDying } from '../../support/dying-backend.js'
import { type CreateStoreDatabase, setUp, toStore } from './harness.js'
import { HOUR_MS } from './trash-harness.js'

const NO_RETRY = { timeoutMs: 5000, maxRetries: 0, baseDelayMs: 1, multiplier: 1 }

interface Play<T> {
  /** Of the store whose process dies. Default: it keeps what it deletes for an hour. */
  settings?: { keepMs?: number; leaseMs?: number }
  prepare: (store: AuthStore) => Promise<T>
  check: (store: AuthStore, prepared: T) => Promise<void>
}

/** Lets a process die in each command of a call, on a session of its own each time. */
export async function dieAtEach<T>(
  create: CreateStoreDatabase,
  isCarriedOut: boolean,
  call: (store: AuthStore) => Promise<unknown>,
  { settings = { keepMs: HOUR_MS }, prepare, check }: Play<T>,
): Promise<void> {
  const { database, open } = await setUp(create)
  const survivor = await open()
  for (let at = 0; ; at++) {
    const prepared = await prepare(survivor)
    const memory = new SessionMemory()
    const backend = await database.open({ memory })
    const dying = toDying(backend, { at, isCarriedOut })
    const store = await toStore({ backend: dying.backend, memory, retry: NO_RETRY, ...settings })
    await call(store).catch(() => {})
    await backend.close()
    await check(await open(), prepared)
    await survivor.purge('s')
    if (dying.calls <= at) return
  }
}
