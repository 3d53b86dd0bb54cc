import { randomUUID } from 'node:crypto'
import type { AuthStore } from '../auth-store.js'
import { ConnectionPool, type Lease } from '../connection/connection-pool.js'
import { digestOptions } from '../input/options-digest.js'
import { isObject } from '../is-object.js'
import type { CodecStore } from '../store/codec-store.js'

export interface HookSource<O, S extends AuthStore> {
  /** The member of the hook's options that holds the store's options. */
  name: string
  createStore: (options: O) => Promise<S>
  /** Whether hooks with these options, if equal, share a store. Default: they do. */
  canShare?: (options: O) => boolean
}

const stores = new ConnectionPool<AuthStore>(
  store => store.close(),
  store => (store as Partial<CodecStore>).isClosed === true, // by a user, who has it from a handle
)

/**
 * The store of a hook that was given options: hooks with equal options share one, which the last of them closes. So
 * they have one registry of metrics, one set of timers and one backend.
 */
export async function shareStore<O, S extends AuthStore>(
  { name, createStore, canShare = () => true }: HookSource<O, S>,
  options: O,
): Promise<Lease<S>> {
  const digest = digestOptions([name, options])
  const id = isObject(options) && !canShare(options) ? randomUUID() : digest
  return (await stores.acquire(id, () => createStore(options))) as Lease<S>
}
