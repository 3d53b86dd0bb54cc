import type { AuthStore, KeysByType, Rewind } from '../auth-store.js'
import type { Lease } from '../connection/connection-pool.js'
import { endsWithin } from '../ends-within.js'
import { CorruptValueError, type FencedError, hasCode } from '../errors.js'
import { isPlainObject } from '../is-object.js'
import { warnOperator } from '../logger.js'
import { maskSessionId } from '../masking.js'
import { quietly } from '../quietly.js'
import { checkUsable, isPaired } from '../store/creds-shape.js'
import type { AuthenticationCreds, AuthenticationState } from './auth-types.js'
import { loadBaileys } from './baileys.js'
import { CredsSaver } from './creds-saver.js'
import { keepAlive } from './keep-alive.js'
import { createKeyStore } from './key-store.js'
import { OwnedSession } from './owned-session.js'
import { claimOwnership, defaultOwner, type Ownership, renewLeases } from './ownership.js'
import { toRemoval } from './removal.js'
import { repairSenderKey } from './sender-keys.js'

/** How long a closing hook waits for a database that may be away. Its store then takes at most 5 s. */
const FINISH_MS = 5000

/** The options of every hook, beside those of its store. */
export interface AuthStateOptions {
  /** 1 to 1,024 bytes of text: the name of the session in the store. */
  sessionId: string
  /**
   * `last-opener` (default): the last process to open the session owns it, and the store refuses the earlier owner.
   * `exclusive`: an opener waits for the owner to close or to die (`ttl.lockTtl`), then throws `SESSION_LOCKED`.
   */
  ownership?: Ownership | undefined
  /**
   * Names this owner in the store's catalogue and in the errors of other openers: 1 to 128 characters, stored in the clear.
   * Default: the host's name and the process id, `hostname:pid`.
   */
  owner?: string | undefined
  /**
   * Let a save replace a paired identity by another one. The first write of the new identity removes the keys of the
   * old one. Default `false`: `IDENTITY_CONFLICT`.
   */
  resetIdentity?: boolean | undefined
  /**
   * Begin a new session beside data of another store under the same name (releases 1.0.0-rc.1 to rc.6 of this package).
   * Default `false`: `FOREIGN_DATA`.
   */
  ignoreForeignData?: boolean | undefined
  /**
   * Repair records of sender keys that Baileys cannot read, so that out-of-order group messages can be (a Baileys bug).
   * Default `false`.
   */
  repairSenderKeys?: boolean | undefined
  /**
   * Ends an opening that waits, e.g. for the lease of another owner: the hook then throws the signal's reason. It does
   * nothing to a hook that is open. Default: none.
   */
  signal?: AbortSignal | undefined
  /**
   * Called once, when the store refuses a read or a write because a later owner has opened the session: end the socket.
   * With `exclusive`, also when the store refuses to renew the lease for that reason.
   */
  onOwnershipLost?: ((error: FencedError) => void) | undefined
  /** Called when the store turns out to have gone back in time. */
  onRewind?: ((rewind: Rewind) => void) | undefined
}

/** One open session. */
export interface AuthStateHandle<S extends AuthStore> {
  /** For Baileys: `makeWASocket({ auth: state })`. */
  state: AuthenticationState
  /** Saves the live `state.creds`. Rejects if the save fails; safe as a listener of `ev.on('creds.update', …)`. */
  saveCreds: () => Promise<void>
  /** Whether the live creds name an account: the pairing is complete. */
  readonly isPaired: boolean
  /** Hooks of the process that were given equal options share one. Leave it open: `close` of the last hook closes it. */
  store: S
  /**
   * Saves what is not saved yet, waits for writes under way, releases the session, and lets the process end. Gives up
   * within 10 seconds if the database does not answer. A store that the caller passed in stays open.
   */
  close: () => Promise<void>
  /**
   * For a bot that was logged out (401): deletes the session and closes. If a later owner has the session, throws
   * `FENCED` and leaves it as it is. After any other error, e.g. while the database is away, call it again, or `close`.
   * It also works after `close`, unless the store was given and is closed.
   */
  remove: () => Promise<void>
  /** Same as `close`: `await using auth = await use…AuthState(…)`. */
  [Symbol.asyncDispose]: () => Promise<void>
}

export interface OpenAuthStateOptions<S extends AuthStore> extends AuthStateOptions {
  store: S
  /** Runs last when the hook closes: gives the store back, or closes it. Default: does nothing. */
  releaseStore?: () => Promise<void>
  /** Opens the store for a moment, after `releaseStore`. Default: `store` is still open. */
  reopenStore?: () => Promise<Lease<AuthStore>>
}

/** The only place that joins Baileys and a store. Opens the session and takes its ownership. */
export async function openAuthState<S extends AuthStore>(
  options: OpenAuthStateOptions<S>,
): Promise<AuthStateHandle<S>> {
  const { store, sessionId, onOwnershipLost, onRewind } = options
  const { logger } = store
  const { initAuthCreds, proto } = await loadBaileys()
  const ownership = options.ownership ?? 'last-opener'
  const claim = await claimOwnership(store, sessionId, {
    ownership,
    owner: options.owner ?? defaultOwner(),
    checkCreds: found => checkUsable(found, sessionId),
    refuseForeign: !options.ignoreForeignData,
    signal: options.signal,
  })
  if (claim.creds !== null)
    checkUsable(claim.creds, sessionId) // they may have changed since the first check
  else if (claim.endedAt) warnOfEnd(claim.endedAt)
  const creds = (claim.creds ?? initAuthCreds()) as AuthenticationCreds
  // Before the caller can write a key: a session without creds is half a session.
  if (claim.creds === null) await store.set(sessionId, { creds }, undefined, claim.fencingToken)

  const session = new OwnedSession(store, sessionId, claim.fencingToken, error => {
    stopKeepingAlive()
    stopRenewing()
    warn(error, 'the session is not that of this owner any more; its writes end here')
    callBack(() => onOwnershipLost?.(error))
  })
  session.notePairing(isPaired(creds))
  let [isClosed, isRemoved, isDeleted] = [false, false, false]
  let lastCredsWrite: Promise<unknown> = Promise.resolve()
  const saver = new CredsSaver({
    sessionId,
    stored: creds,
    current: () => state.creds,
    write: () => writeCreds({}),
    resetIdentity: options.resetIdentity ?? false,
  })
  const keys = createKeyStore({
    sessionId,
    assertOpen: () => session.assertOpen(),
    read: (type, ids) => session.readKeys(type, ids),
    list: type => session.listKeys(type),
    write: writeKeys,
    revive(type, value) {
      if (type === 'app-state-sync-key') return toSyncKey(value)
      return type === 'sender-key' && options.repairSenderKeys ? repairSenderKey(value) : value
    },
  })
  const state: AuthenticationState = { creds, keys }
  const stopKeepingAlive = startKeepAlive()
  const stopRenewing = ownership === 'exclusive' ? startRenewing() : () => {}
  const stopListening = store.onRewind(rewind => {
    if (rewind.sessionId !== sessionId) return
    saver.markUnsaved()
    saveCreds()
    callBack(() => onRewind?.(rewind))
  })

  function toSyncKey(value: unknown): object {
    try {
      if (isPlainObject(value)) return proto.Message.AppStateSyncKeyData.fromObject(value)
    } catch {
      // A TypeError that names a member. The error below says what the value should be.
    }
    throw new CorruptValueError('A value of type "app-state-sync-key" is no such key.', { sessionId })
  }

  async function writeKeys(keys: KeysByType): Promise<void> {
    if (saver.isUnsaved || saver.isReplacing) await writeCreds(keys)
    else await session.write({ keys })
  }

  /**
   * Writes creds one after the other: a write that comes while an identity is being replaced belongs to the next one.
   */
  function writeCreds(keys: KeysByType): Promise<void> {
    const write = async () => {
      const current = saver.take()
      const all = saver.isReplacing ? await withoutOthers(keys) : keys
      await session.write({ creds: current, keys: all })
      saver.noteSaved(current)
      session.notePairing(isPaired(current))
    }
    const writing = lastCredsWrite.then(write)
    lastCredsWrite = writing.catch(() => {}) // the caller of `write` gets the error
    return writing
  }

  /**
   * `keys`, and the deletion of all other keys: they belong to the identity that is being replaced. The first write of
   * an identity includes its creds, so none of its own keys is stored before.
   */
  async function withoutOthers(keys: KeysByType): Promise<KeysByType> {
    await session.settleWrites()
    return toRemoval(await session.listKeys(), keys)
  }

  function saveCreds(): Promise<void> {
    const saved = saver.save()
    saved.catch(error => {
      if (session.isLost || isRemoved) return
      const about = { sessionId: maskSessionId(sessionId), code: error.code, error: error.message }
      logger.error(about, 'creds not saved')
    })
    return saved
  }

  function startKeepAlive(): () => void {
    const { ttlSeconds } = store
    if (ttlSeconds === null) return () => {}
    const revive = () => {
      saver.markUnsaved()
      return saveCreds()
    }
    const touch = () => store.touch(sessionId)
    const onError = (error: Error) => warn(error, 'the session could not be kept alive')
    return keepAlive({ ttlSeconds, touch, revive, onError })
  }

  function startRenewing(): () => void {
    return renewLeases(store, sessionId, claim.fencingToken, error => {
      if (hasCode(error, 'FENCED')) session.lose(error as FencedError)
      else warn(error, 'the lease of the session could not be renewed')
    })
  }

  async function releaseLease(): Promise<void> {
    stopRenewing()
    if (ownership !== 'exclusive' || session.isLost) return
    await store
      .releaseLease(sessionId, claim.fencingToken)
      .catch(error => warn(error, 'the lease of the session ends by itself'))
  }

  function warnOfEnd(endedAt: Date): void {
    const about = { sessionId: maskSessionId(sessionId), endedAt }
    const when = `The session "${about.sessionId}" ended at ${endedAt.toISOString()}`
    const why = 'its "ttl" had run out since it was last open. It begins anew, and has to be paired again.'
    warnOperator(logger, 'BAILEYS_STORE_SESSION_ENDED', about, `${when}: ${why}`)
  }

  function callBack(callback: () => void): void {
    quietly(callback, error => warn(error, 'a callback has thrown'))
  }

  function warn(error: unknown, message: string): void {
    logger.warn({ sessionId: maskSessionId(sessionId), error: (error as Error).message }, message)
  }

  async function finish(): Promise<void> {
    if (session.takesWrites) await saver.flush().catch(error => warn(error, 'creds not saved while closing'))
    session.refuseWrites()
    await session.settleWrites()
    await releaseLease()
  }

  async function close(): Promise<void> {
    stopKeepingAlive()
    if (!(await endsWithin(FINISH_MS, finish()))) {
      logger.warn({ sessionId: maskSessionId(sessionId) }, 'closed without an answer of the database')
      session.refuseWrites()
      stopRenewing()
    }
    stopListening()
    isClosed = true
    await options.releaseStore?.()
  }

  async function remove(): Promise<void> {
    if (isDeleted) return
    stopKeepingAlive()
    isRemoved = true
    session.refuseWrites()
    await session.settleWrites()
    try {
      await deleteSession()
    } catch (error) {
      if (hasCode(error, 'FENCED')) await close() // else the caller may repeat it
      throw error
    }
    isDeleted = true
    await close()
  }

  async function deleteSession(): Promise<void> {
    const reopened = isClosed ? await options.reopenStore?.() : undefined
    const { connection } = reopened ?? { connection: store }
    try {
      await connection.delete(sessionId, undefined, claim.fencingToken)
    } finally {
      await reopened?.release()
    }
  }

  return {
    state,
    saveCreds,
    store,
    close,
    remove,
    get isPaired() {
      return isPaired(state.creds)
    },
    [Symbol.asyncDispose]: close,
  }
}
