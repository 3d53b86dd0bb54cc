import type { AuthStore, KeysByType, Rewind } from '../auth-store.js'
import { isPlainObject } from '../codec/value-tree.js'
import { endsWithin } from '../ends-within.js'
import { CorruptValueError, type FencedError, hasCode } from '../errors.js'
import { warnOperator } from '../logger.js'
import { maskSessionId } from '../masking.js'
import { quietly } from '../quietly.js'
import { checkUsable } from '../store/creds-shape.js'
import type { AuthenticationCreds, AuthenticationState } from './auth-types.js'
import { loadBaileys } from './baileys.js'
import { CredsSaver } from './creds-saver.js'
import { keepAlive } from './keep-alive.js'
import { createKeyStore } from './key-store.js'
import { OwnedSession } from './owned-session.js'
import { claimOwnership, type Ownership, renewLeases } from './ownership.js'
import { toRemoval } from './removal.js'
import { repairSenderKey } from './sender-keys.js'

/** A hook that closes waits so long for a database that may be out of reach; then its store waits for 5 s at the most. */
const FINISH_MS = 5000

/** What every hook takes beside its store's options. */
export interface AuthStateOptions {
  /** 1 to 1,024 bytes of text; the session's name in the store. */
  sessionId: string
  /**
   * `last-opener` (default): the last process to open the session owns it, and the store refuses the earlier owner.
   * `exclusive`: an opener waits for the owner to close or to die (`ttl.lockTtl`), then throws `SESSION_LOCKED`.
   */
  ownership?: Ownership | undefined
  /**
   * Let a save replace a paired identity by another one, whose first write takes the keys of the one before away.
   * Default `false`: `IDENTITY_CONFLICT`.
   */
  resetIdentity?: boolean | undefined
  /**
   * Begin a new session beside data that another store has under its name (releases 1.0.0-rc.1 to rc.6 of this package).
   * Default `false`: `FOREIGN_DATA`.
   */
  ignoreForeignData?: boolean | undefined
  /** Mend the records that keep out-of-order group messages from being read (a Baileys bug). Default `false`. */
  repairSenderKeys?: boolean | undefined
  /**
   * Called once, when a write is refused because a later owner has opened the session: end the socket. With `exclusive`
   * also when the lease cannot be renewed for that reason.
   */
  onOwnershipLost?: ((error: FencedError) => void) | undefined
  /** Called when the store was found to have gone back in time. */
  onRewind?: ((rewind: Rewind) => void) | undefined
}

export interface AuthStateHandle<S extends AuthStore> {
  state: AuthenticationState
  /** Saves the live `state.creds`. Rejects to who awaits it; safe to hand to `ev.on('creds.update', …)`. */
  saveCreds: () => Promise<void>
  store: S
  /**
   * Saves what is not saved yet, waits for what is under way, lets go of the session, and lets the process end. Where the
   * database does not answer it gives up within 10 seconds. A store that was passed in stays open.
   */
  close: () => Promise<void>
  /**
   * For a bot that was logged out (401): deletes the session and closes. Throws `FENCED`, and leaves the session as it is,
   * where a later owner has it.
   */
  remove: () => Promise<void>
}

export interface OpenAuthStateOptions<S extends AuthStore> extends AuthStateOptions {
  store: S
  /** Whether `close` closes the store. */
  ownsStore: boolean
}

/** The one place that joins Baileys and a store. Opens the session and takes its ownership. */
export async function openAuthState<S extends AuthStore>(
  options: OpenAuthStateOptions<S>,
): Promise<AuthStateHandle<S>> {
  const { store, sessionId, onOwnershipLost, onRewind } = options
  const { logger } = store
  const { initAuthCreds, proto } = await loadBaileys()
  const ownership = options.ownership ?? 'last-opener'
  const claim = await claimOwnership(store, sessionId, ownership, {
    checkCreds: found => checkUsable(found, sessionId),
    refuseForeign: !options.ignoreForeignData,
  })
  if (claim.creds !== null)
    checkUsable(claim.creds, sessionId) // they may have changed since
  else if (claim.endedAt) warnOfEnd(claim.endedAt)
  const creds = (claim.creds ?? initAuthCreds()) as AuthenticationCreds
  // Before anyone can write a key: a session without creds is half a session.
  if (claim.creds === null) await store.set(sessionId, { creds }, undefined, claim.fencingToken)

  const session = new OwnedSession(store, sessionId, claim.fencingToken, error => {
    stopKeepingAlive()
    stopRenewing()
    warn(error, 'the session is not that of this owner any more; its writes end here')
    callBack(() => onOwnershipLost?.(error))
  })
  let isRemoved = false
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
      // A TypeError that names a member: what it stands for is said below.
    }
    throw new CorruptValueError('A value of type "app-state-sync-key" is no such key.', { sessionId })
  }

  async function writeKeys(keys: KeysByType): Promise<void> {
    if (saver.isUnsaved || saver.isReplacing) await writeCreds(keys)
    else await session.write({ keys })
  }

  /** One after the other: what comes while an identity is being replaced belongs to the next one. */
  function writeCreds(keys: KeysByType): Promise<void> {
    const write = async () => {
      const current = saver.take()
      const all = saver.isReplacing ? await withoutOthers(keys) : keys
      await session.write({ creds: current, keys: all })
      saver.noteSaved(current)
    }
    const writing = lastCredsWrite.then(write)
    lastCredsWrite = writing.catch(() => {}) // whoever has asked for it is told
    return writing
  }

  /**
   * `keys`, and the deletion of all others: they belong to the identity that is being replaced. The first write of an
   * identity brings its creds along, so that none of its own is among them.
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
    if (options.ownsStore) await store.close()
  }

  async function remove(): Promise<void> {
    stopKeepingAlive()
    isRemoved = true
    session.refuseWrites()
    await session.settleWrites()
    try {
      await store.delete(sessionId, undefined, claim.fencingToken)
    } finally {
      await close()
    }
  }

  return { state, saveCreds, store, close, remove }
}
