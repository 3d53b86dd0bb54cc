import type { SessionFilter, SessionInfo, SessionPage } from '../auth-store.js'
import type { Backend, Summary } from '../backend.js'
import { readPairing } from '../codec/envelope.js'
import type { KnownOwner } from '../errors.js'
import { fromTrashName } from '../names.js'
import type { Operations } from './operations.js'
import type { RewindGuard } from './rewind-guard.js'
import { isSessionDamage } from './session-damage.js'
import type { Trash } from './trash.js'

/** Sessions that are described side by side. */
const PAGE_SIZE = 100

export interface CatalogueParts {
  backend: Backend
  operations: Operations
  rewinds: RewindGuard
  trash: Trash
}

/** Describes sessions from their heads. */
export class Catalogue {
  readonly #parts: CatalogueParts

  constructor(parts: CatalogueParts) {
    this.#parts = parts
  }

  /** `token`: see `RewindGuard`. */
  async describe(sessionId: string, token: number | undefined): Promise<SessionInfo | null> {
    const { backend, rewinds } = this.#parts
    const summary = await rewinds.read('describe', sessionId, () => backend.summarize(sessionId), token)
    return toInfo(sessionId, summary)
  }

  /** Passes over pages that hold only copies of deleted sessions. */
  async list(limit: number, cursor: string | undefined): Promise<SessionPage> {
    let after: string | null | undefined = cursor
    let live: string[] = []
    do {
      const page: SessionPage = await this.#list(limit, after)
      live = page.sessionIds.filter(isLive)
      after = page.cursor
    } while (live.length === 0 && after !== null)
    return { sessionIds: live, cursor: after }
  }

  /** Notes nothing of what it reads: a catalogue would displace what the process has to remember of its own sessions. */
  async *sessions({ deleted = false, ...filter }: SessionFilter): AsyncIterable<SessionInfo> {
    const { trash, operations } = this.#parts
    const describe = (sessionId: string) => (deleted ? trash.describe(sessionId) : this.#describe(sessionId))
    let cursor: string | null | undefined
    while (cursor !== null) {
      const page: SessionPage = await this.#list(PAGE_SIZE, cursor)
      const ids = deleted ? page.sessionIds.flatMap(toDeleted) : page.sessionIds.filter(isLive)
      const describing = () => Promise.all(ids.map(sessionId => describeOrNoteDamage(sessionId, describe)))
      const found = await operations.run('describe', undefined, describing)
      const nowMs = Date.now()
      for (const info of found) if (info && passes(info, filter, nowMs)) yield info
      cursor = page.cursor
    }
  }

  #list(limit: number, cursor: string | undefined): Promise<SessionPage> {
    const { backend, operations } = this.#parts
    return operations.run('list', undefined, () => backend.list(limit, cursor))
  }

  async #describe(sessionId: string): Promise<SessionInfo | null> {
    return toInfo(sessionId, await this.#parts.backend.summarize(sessionId))
  }
}

/** Damage of one session is an answer, not an error of all. */
async function describeOrNoteDamage(
  sessionId: string,
  describe: (sessionId: string) => Promise<SessionInfo | null>,
): Promise<SessionInfo | null> {
  try {
    return await describe(sessionId)
  } catch (error) {
    if (!isSessionDamage(error)) throw error // it must not hide the others
    return toDamaged(sessionId)
  }
}

function toInfo(sessionId: string, summary: Summary): SessionInfo | null {
  const { head, createdAtMs, expiresAtMs, claim, leaseEndsAtMs, creds } = summary
  if (!head.exists) return null
  return {
    sessionId,
    version: head.version,
    isPaired: readPairing(creds) ?? null,
    createdAt: toDate(createdAtMs),
    updatedAt: new Date(head.updatedAtMs),
    expiresAt: toDate(expiresAtMs),
    owner: claim
      ? {
          label: claim.owner ?? null,
          fencingToken: head.fence,
          claimedAt: new Date(claim.claimedAtMs),
          leaseEndsAt: toDate(leaseEndsAtMs),
        }
      : null,
  }
}

function toDamaged(sessionId: string): SessionInfo {
  return {
    sessionId,
    version: 0,
    isPaired: null,
    createdAt: null,
    updatedAt: new Date(0),
    expiresAt: null,
    owner: null,
    isDamaged: true,
  }
}

/** A session of which nothing is known may be paired. Nothing else is assumed of a damaged one. */
function passes(
  info: SessionInfo,
  { pairedOnly, ownedBy, idleSinceMs }: SessionFilter,
  nowMs: number,
): boolean {
  if (pairedOnly && info.isPaired === false) return false
  if (ownedBy !== undefined && info.owner?.label !== ownedBy) return false
  if (idleSinceMs === undefined) return true
  return !info.isDamaged && nowMs - info.updatedAt.getTime() >= idleSinceMs
}

function toDate(ms: number | undefined): Date | null {
  return ms === undefined ? null : new Date(ms)
}

/** The owner of a session, for an error; `undefined` if the store does not know one. */
export async function findOwner(backend: Backend, sessionId: string): Promise<KnownOwner | undefined> {
  const { claim } = await backend.summarize(sessionId)
  return claim && { label: claim.owner, claimedAt: new Date(claim.claimedAtMs) }
}

function isLive(name: string): boolean {
  return fromTrashName(name) === undefined
}

/** The session of which this is the copy, if it is one. */
function toDeleted(name: string): string[] {
  const sessionId = fromTrashName(name)
  return sessionId === undefined ? [] : [sessionId]
}
