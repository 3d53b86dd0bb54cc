import { onTestFinished } from 'vitest'
import type { Backend } from '../../../src/core/backend.js'
import { createCodec } from '../../../src/core/codec/codec.js'
import type { Lease } from '../../../src/core/connection/connection-pool.js'
import {
  type AuthStateHandle,
  type AuthStateOptions,
  openAuthState,
} from '../../../src/core/hook/auth-state.js'
import type { AuthenticationCreds } from '../../../src/core/hook/auth-types.js'
import { type Logger, nullLogger } from '../../../src/core/logger.js'
import { CodecStore } from '../../../src/core/store/codec-store.js'
import { SessionMemory } from '../../../src/core/store/session-memory.js'
import { toCodecOptions } from '../../../src/core/store/store-settings.js'
import type { AuthStore } from '../../../src/index.js'
import { FaultyBackend } from '../../support/faulty-backend.js'
import type { CreateStoreDatabase } from '../auth-store/harness.js'

export type Handle = AuthStateHandle<AuthStore>
type OpenOptions = Partial<AuthStateOptions> & {
  store?: AuthStore
  /** Called when the hook closes. */
  releaseStore?: () => Promise<void>
  reopenStore?: () => Promise<Lease<AuthStore>>
  ttlMs?: number | null
  leaseMs?: number
  /** By default there is no cache: calls to the backend are counted. */
  cacheBytes?: number
  /** By default the store's own. */
  memory?: SessionMemory
  masterKey?: string
  logger?: Logger
}

/** No waiting between retries: the test makes the faults and ends them. */
const RETRY = { timeoutMs: 5000, maxRetries: 2, baseDelayMs: 1, multiplier: 1 }

export interface Stage {
  /** Opens the session `s`, by default on a store of its own. Closed after the test. */
  open(options?: OpenOptions): Promise<Handle>
  /** A store on the database; its backend counts calls and can be made to fail. */
  openStore(options?: OpenOptions): Promise<{ store: AuthStore; backend: FaultyBackend }>
  /** The database itself. */
  raw: Backend
  /** As in `StoreDatabase`. */
  remember(): Promise<() => Promise<void>>
}

export async function setStage(create: CreateStoreDatabase): Promise<Stage> {
  const database = await create()
  const raw = await database.open()
  const closing: (() => Promise<void>)[] = [() => raw.close()]
  onTestFinished(async () => {
    for (const close of closing.reverse()) await close()
    await database.remove()
  })

  async function openStore({
    ttlMs = null,
    leaseMs = 5000,
    cacheBytes,
    memory = new SessionMemory(),
    masterKey,
    logger = nullLogger,
  }: OpenOptions = {}) {
    const backend = new FaultyBackend(await database.open({ ttlMs }))
    const codec = await createCodec(toCodecOptions({ masterKey }))
    const parts = { backend, codec, ttlMs, leaseMs, retry: RETRY, logger, memory }
    const store = new CodecStore(cacheBytes === undefined ? parts : { ...parts, cacheBytes })
    closing.push(() => store.close())
    return { store, backend }
  }

  async function open(options: OpenOptions = {}): Promise<Handle> {
    const store = options.store ?? (await openStore(options)).store
    const handle = await openAuthState({ sessionId: 's', ...options, store })
    closing.push(() => handle.close())
    return handle
  }
  return { open, openStore, raw, remember: () => database.remember() }
}

/** Every byte of the session, in a form that can be compared. */
export async function readRaw(raw: Backend): Promise<unknown> {
  const { head, fields } = await raw.readAll('s')
  return {
    head,
    fields: fields.map(({ type, id, bytes }) => `${type} ${id} ${Buffer.from(bytes).toString('hex')}`),
  }
}

/** Baileys draws a registration id from 256 numbers only, so that it alone does not tell identities apart. */
export function identityOf({ noiseKey, registrationId }: AuthenticationCreds): string {
  return `${registrationId} ${Buffer.from(noiseKey.public).toString('hex')}`
}

// biome-ignore lint/suspicious/noExplicitAny: what Baileys really stores is not what it declares
export const record = (text: string): any => ({ _sessions: { text }, version: 'v1' })
