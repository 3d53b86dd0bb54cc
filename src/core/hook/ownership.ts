import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AuthStore, Claim, ClaimOptions } from '../auth-store.js'
import { hasCode } from '../errors.js'
import { MAX_OWNER_LENGTH } from '../names.js'

/** How a hook takes a session that has an owner: at once, or only after the owner's lease has ended. */
export type Ownership = 'last-opener' | 'exclusive'

/** Longest wait between two attempts; the wait has full jitter. */
const MAX_POLL_MS = 200
/** A lease is renewed after its life divided by this, so that one failed renewal does not end it. */
const RENEWAL_PART = 3

interface OwnershipOptions extends Pick<ClaimOptions, 'owner' | 'checkCreds' | 'refuseForeign'> {
  ownership: Ownership
  /** Ends the waiting. */
  signal: AbortSignal | undefined
}

/** The label of an owner that gives none. */
export function defaultOwner(): string {
  return `${hostname()}:${process.pid}`.slice(-MAX_OWNER_LENGTH)
}

/**
 * Claims the session. Waits up to the life of a lease while another owner holds it: a dead owner's lease has ended by
 * then. A living owner renews it, so the call throws `SESSION_LOCKED`.
 */
export async function claimOwnership(
  store: AuthStore,
  sessionId: string,
  { ownership, signal, ...check }: OwnershipOptions,
): Promise<Claim> {
  const deadlineMs = performance.now() + store.leaseSeconds * 1000 + MAX_POLL_MS
  for (;;) {
    signal?.throwIfAborted()
    try {
      return await store.claim(sessionId, { exclusive: ownership === 'exclusive', ...check })
    } catch (error) {
      if (!hasCode(error, 'SESSION_LOCKED') || performance.now() >= deadlineMs) throw error
      await sleep(Math.random() * MAX_POLL_MS)
    }
  }
}

/** Renews the lease until the caller calls the returned function. */
export function renewLeases(
  store: AuthStore,
  sessionId: string,
  fencingToken: number,
  onFailure: (error: unknown) => void,
): () => void {
  const renew = () => store.renewLease(sessionId, fencingToken).catch(onFailure)
  const timer = setInterval(renew, (store.leaseSeconds * 1000) / RENEWAL_PART).unref()
  return () => clearInterval(timer)
}
