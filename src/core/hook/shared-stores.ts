import { createHash, randomUUID } from 'node:crypto'
import type { AuthStore } from '../auth-store.js'
import { ConnectionPool, type Lease } from '../connection/connection-pool.js'
import { InvalidOptionError } from '../errors.js'
import { readGiven } from '../input/read-given.js'
import { isObject } from '../is-object.js'
import type { CodecStore } from '../store/codec-store.js'

export interface HookSource<O, S extends AuthStore> {
  /** The member of the hook's options that holds the store's options. */
  name: string
  createStore: (options: O) => Promise<S>
  /** Whether hooks with these options, if equal, share a store. Default: they do. */
  canShare?: (options: O) => boolean
}

/** Deeper options are compared by identity. */
const MAX_DEPTH = 8

const stores = new ConnectionPool<AuthStore>(
  store => store.close(),
  store => (store as Partial<CodecStore>).isClosed === true, // by a user, who has it from a handle
)
const identities = new WeakMap<object, number>()
let lastIdentity = 0

/**
 * The store of a hook that was given options: hooks with equal options share one, which the last of them closes. So
 * they have one registry of metrics, one set of timers and one backend.
 */
export async function shareStore<O, S extends AuthStore>(
  { name, createStore, canShare = () => true }: HookSource<O, S>,
  options: O,
): Promise<Lease<S>> {
  const text = readGiven(
    () => (isObject(options) && canShare(options) ? describe(options) : randomUUID()),
    cause => new InvalidOptionError('An option throws when it is read.', { cause }),
  )
  const digest = createHash('sha256').update(`${name} ${text}`).digest('hex') // options hold secrets
  return (await stores.acquire(digest, () => createStore(options))) as Lease<S>
}

/** The same text for options that say the same: data by its contents, anything else by its identity. */
function describe(value: unknown, depth = 0): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value !== 'function' && !isObject(value)) return `${typeof value} ${String(value)}`
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value) && depth < MAX_DEPTH)
    return `[${value.map(item => describe(item, depth + 1)).join()}]`
  if (Object.getPrototypeOf(value) !== Object.prototype || depth >= MAX_DEPTH) return `#${identify(value)}`
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}:${describe(member, depth + 1)}`,
  )
  return `{${members.sort().join()}}`
}

function identify(value: object): number {
  const known = identities.get(value) ?? ++lastIdentity
  identities.set(value, known)
  return known
}
