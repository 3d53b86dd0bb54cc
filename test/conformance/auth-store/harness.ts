import { expect, onTestFinished } from 'vitest'
import { createCodec } from '../../../src/core/codec/codec.js'
import { nullLogger } from '../../../src/core/logger.js'
import { CodecStore, type StoreParts } from '../../../src/core/store/codec-store.js'
import { SessionMemory } from '../../../src/core/store/session-memory.js'
import { toCodecOptions } from '../../../src/core/store/store-settings.js'
import type { AuthStore, CommonOptions, StoreErrorCode } from '../../../src/index.js'
import type { StoreSource } from '../../support/store-child.js'
import type { BackendDatabase } from '../backend/harness.js'

const RETRY = { timeoutMs: 5000, maxRetries: 3, baseDelayMs: 100, multiplier: 2 }

/** A fresh database for one test. */
export interface StoreDatabase extends BackendDatabase {
  openStore(options?: CommonOptions): Promise<AuthStore>
  /** How another process opens the same database. */
  source(options?: CommonOptions): StoreSource
  /**
   * Remembers everything in the database; the result restores it, under the stores that are open. Both wait until
   * nothing is on its way from one part of the database to another.
   */
  remember(): Promise<() => Promise<void>>
  /** Every byte that the database keeps on disk. */
  dump(): Promise<Buffer>
}

export type CreateStoreDatabase = () => Promise<StoreDatabase>

export const KEY = 'a1'.repeat(32)
export const OTHER_KEY = 'b2'.repeat(32)

type Settings = Pick<StoreParts, 'backend' | 'memory'> & Partial<StoreParts>

/** A store of its own, without encryption; by default its sessions live for ever. */
export async function toStore(settings: Settings): Promise<CodecStore> {
  const codec = await createCodec(toCodecOptions({}))
  return new CodecStore({ codec, ttlMs: null, leaseMs: 5000, retry: RETRY, logger: nullLogger, ...settings })
}

/** Creates a database and opens stores on it, all of which are closed after the test. */
export async function setUp(create: CreateStoreDatabase) {
  const database = await create()
  const opened: { close(): Promise<void> }[] = []
  onTestFinished(async () => {
    await Promise.all(opened.map(store => store.close()))
    await database.remove()
  })
  const keep = <T extends { close(): Promise<void> }>(store: T): T => {
    opened.push(store)
    return store
  }
  const open = async (options?: CommonOptions): Promise<AuthStore> => keep(await database.openStore(options))
  /** A store that, like one in another process, knows nothing of what the other stores here have seen. */
  const openElsewhere = async (ttlMs: number | null = null, now?: () => number): Promise<AuthStore> => {
    const memory = new SessionMemory()
    const backend = await database.open({ ttlMs, memory, now })
    return keep(await toStore({ backend, memory, ttlMs }))
  }
  return { database, open, openElsewhere, openBackend: async () => keep(await database.open()) }
}

/** The call is refused with that code, and the session is unchanged. */
export async function expectRefusal(
  store: AuthStore,
  sessionId: string,
  code: StoreErrorCode,
  call: () => Promise<unknown>,
): Promise<void> {
  const before = await store.get(sessionId)
  await expect(call()).rejects.toMatchObject({ code })
  expect(await store.get(sessionId)).toEqual(before)
}

const KEY_PAIR = { public: Buffer.alloc(32, 'public'), private: Buffer.alloc(32, 'private') }

/** The least creds that a hook accepts. */
export const CREDS = {
  registrationId: 7,
  noiseKey: KEY_PAIR,
  signedIdentityKey: KEY_PAIR,
  signedPreKey: { keyPair: KEY_PAIR, keyId: 1 },
}
