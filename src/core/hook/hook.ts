import * as v from 'valibot'
import type { AuthStore } from '../auth-store.js'
import { hasCode, InvalidOptionError } from '../errors.js'
import { flag } from '../input/options.js'
import { parseOptions } from '../input/parse-options.js'
import { checkSessionId, isOwner, OWNER_TEXT } from '../names.js'
import { abortable } from './abortable.js'
import { type AuthStateHandle, type AuthStateOptions, openAuthState } from './auth-state.js'
import { type HookSource, shareStore } from './shared-stores.js'

/** A hook takes either its store's options, under the entry's name, or an open store. */
export interface StoreSource<S extends AuthStore> {
  /**
   * An open store of this library, of any kind. Many hooks may share it. `close` of a hook leaves it open.
   */
  store?: S | undefined
}

const callback = v.optional(
  v.custom<(...args: never[]) => void>(value => typeof value === 'function', 'a function'),
)

/** Checks the options that all hooks share, and opens the session; `signal` may end that. */
export async function openHook<O, S extends AuthStore>(
  options: AuthStateOptions & StoreSource<S>,
  source: HookSource<O, S>,
): Promise<AuthStateHandle<S>> {
  const { name } = source
  checkOptions(options, name)
  checkSessionId(options.sessionId)
  const { signal } = options
  signal?.throwIfAborted()
  const opening = openSession(options, source)
  return signal ? abortable(opening, signal, late => late.close()) : opening
}

/** Opens a store, unless one is given, and the session in it. */
async function openSession<O, S extends AuthStore>(
  options: AuthStateOptions & StoreSource<S>,
  source: HookSource<O, S>,
): Promise<AuthStateHandle<S>> {
  const { name } = source
  const storeOptions = (options as object as { [member: string]: O | undefined })[name]
  if (options.store !== undefined && storeOptions !== undefined) {
    throw new InvalidOptionError(`Give "${name}" or "store", not both.`)
  }
  if (options.store === undefined && storeOptions === undefined) {
    throw new InvalidOptionError(
      `Give the options of the store as "${name}": { … }, or an open store as "store".`,
    )
  }
  if (options.store !== undefined) return openAuthState({ ...options, store: options.store })
  const reopenStore = () => shareStore(source, storeOptions as O)
  const { connection: store, release } = await reopenStore()
  try {
    return await openAuthState({ ...options, store, releaseStore: release, reopenStore })
  } catch (error) {
    // A server that does not answer would hold up closing the connection as well.
    const releasing = release()
    if (hasCode(error, 'TIMEOUT') || hasCode(error, 'STORE_UNAVAILABLE')) releasing.catch(() => {})
    else await releasing
    throw error
  }
}

function isStore(value: unknown): boolean {
  const store = value as Partial<AuthStore> | null
  const calls = [store?.claim, store?.get, store?.getKeys, store?.set, store?.touch, store?.onRewind]
  return calls.every(call => typeof call === 'function')
}

/** Also one of another realm, or of a polyfill. */
function isAbortSignal(value: unknown): boolean {
  const signal = value as Partial<AbortSignal> | null
  return typeof signal?.aborted === 'boolean' && typeof signal.addEventListener === 'function'
}

const OPTIONS = 'the options of a store; an open store is given as "store"'
const STORE = 'a store, as a "create…Store" of this library opens it'

function checkOptions(options: object, name: string): void {
  const schema = v.strictObject(
    {
      sessionId: v.unknown(),
      store: v.optional(
        v.custom<AuthStore>(isStore, ({ input }) =>
          input instanceof Promise ? 'a store: await what "create…Store" returns' : STORE,
        ),
      ),
      [name]: v.optional(v.custom(given => !isStore(given), OPTIONS)),
      ownership: v.optional(v.picklist(['last-opener', 'exclusive'], '"last-opener" or "exclusive"')),
      owner: v.optional(v.custom<string>(isOwner, `a text of ${OWNER_TEXT}`)),
      resetIdentity: flag,
      ignoreForeignData: flag,
      repairSenderKeys: flag,
      signal: v.optional(v.custom<AbortSignal>(isAbortSignal, 'an AbortSignal')),
      onOwnershipLost: callback,
      onRewind: callback,
    },
    `{ sessionId, ${name}: { … } }`,
  )
  parseOptions(schema, options, '')
}
