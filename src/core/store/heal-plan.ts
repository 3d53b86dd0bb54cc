import type { Commit, FieldWrite, HistoryResult } from '../backend.js'
import { compareHistories, type KnownHistory, type Verdict } from './histories.js'
import { hasLost } from './operation-ids.js'

/** A change that this process has made. */
interface HeldChange {
  /** The version that the change took. */
  readonly version: number
  /** See `CommitResult`. */
  readonly operation: string
}

export interface HeldWrite extends HeldChange {
  readonly write: FieldWrite
  /** The fencing token of the owner that wrote it; `undefined`: it was written without one. */
  readonly token?: number | undefined
}

export interface HeldDeletion extends HeldChange {
  /**
   * The tombstone's fence, which is above the token that deleted the session. An owner of this token or a higher one has
   * opened the session since.
   */
  readonly fence: number
  /** The instant of the deletion, by the database's clock. A repeated deletion keeps it. */
  readonly deletedAtMs: number
  readonly copy: CopyPolicy
}

/** What a deletion does about the copy in the trash: a new one, nothing, or its end. */
export type CopyPolicy = 'make' | 'leave' | 'remove'

/** How a process reacts to a history that does not continue the one it knew. */
export interface HealPlan {
  /** The last version that both share; `undefined`: nothing seen is missing. */
  readonly at: number | undefined
  /** Brings the found history to what this process has done; `undefined`: there is nothing to write. */
  readonly heal: Heal | undefined
  /** The found session is another one: no earlier write may ever be written again. */
  readonly isOther?: true
  /** The highest token of the writes that are left out, since a later owner has the session. */
  readonly refused?: number
}

/** A write that is written again, with the token of its owner. */
interface Replay extends FieldWrite {
  readonly token?: number | undefined
}

export interface Heal {
  /** The deletion to repeat before the writes. */
  readonly deletion: HeldDeletion | undefined
  readonly writes: readonly Replay[]
  readonly fork: Commit['fork']
}

export interface HealSituation {
  readonly known: KnownHistory
  readonly found: HistoryResult
  /** The version of the answer that revealed the other history. The session may have been loaded anew since. */
  readonly foundVersion: number
  /** In the order of `found.versions`, whose last element is the version of the creds. */
  readonly held: readonly HeldWrite[]
  readonly deletion: HeldDeletion | undefined
  /** The highest known fencing token. */
  readonly fence: number
}

const NOTHING_MISSING: HealPlan = { at: undefined, heal: undefined }

export function planHeal(situation: HealSituation): HealPlan {
  return withoutRefused(planWhole(situation), situation.found.head.fence)
}

/**
 * The plan without the writes of an owner that a later one has replaced in the history found: the later owner may have
 * gone on without them.
 */
function withoutRefused(plan: HealPlan, fence: number): HealPlan {
  const { at, heal } = plan
  const refused = (heal?.writes ?? []).flatMap(({ token = fence }) => (token < fence ? [token] : []))
  if (heal === undefined || refused.length === 0) return plan
  const writes = heal.writes.filter(({ token = fence }) => token >= fence)
  const isEmpty = writes.length === 0 && heal.deletion === undefined
  return { at, heal: isEmpty ? undefined : { ...heal, writes }, refused: Math.max(...refused) }
}

function planWhole(situation: HealSituation): HealPlan {
  const { known, found } = situation
  const verdict = toVerdict(situation)
  if (!known.exists && !found.head.exists) return planTombstone(situation)
  switch (verdict.kind) {
    case 'continues':
      return NOTHING_MISSING
    case 'unrelated':
      return { at: found.head.version, heal: undefined, isOther: true }
    case 'rewound': {
      const { at } = verdict
      if (isDeletedByAnother(situation, at)) return { at, heal: undefined }
      const lost = found.isDeleted ? undefined : firstLost(situation)
      if (lost !== undefined && lost <= at) return planJoin(situation, lost - 1, lost)
      return planRewrite(situation, at)
    }
    case 'diverged': {
      const lost = firstLost(situation) ?? known.version
      // In the same incarnation, it is still the session that this process has deleted.
      return isDeletedAfter(situation, lost - 1)
        ? planDeletion(situation, lost - 1)
        : planJoin(situation, lost - 1, lost)
    }
    case 'forked': {
      const { at, to } = verdict
      const isSameIdentity = (found.versions.at(-1) ?? to) < to
      return isSameIdentity && isDeletedAfter(situation, at)
        ? planDeletion(situation, at)
        : planJoin(situation, at, to)
    }
  }
}

/**
 * The session is absent, as it was. If the store has lost the tombstone of this process, others may have to find it; and
 * if that was of a purge, a copy may have come back.
 */
function planTombstone(situation: HealSituation): HealPlan {
  const { found, deletion } = situation
  const isNeeded = !found.isDeleted || deletion?.copy === 'remove'
  const isLost = deletion !== undefined && isNeeded && found.head.version < deletion.version
  return isLost ? { ...planDeletion(situation, found.head.version), at: undefined } : NOTHING_MISSING
}

/** No process has written since version `at`: this one begins a new incarnation. */
function planRewrite(situation: HealSituation, at: number): HealPlan {
  if (isDeletedAfter(situation, at)) return planDeletion(situation, at)
  const { incarnation } = situation.known
  const fork = incarnation === '' ? undefined : { from: incarnation, at }
  return { at, heal: { deletion: undefined, writes: chooseReplays(situation, at), fork } }
}

/** Another process has continued from version `at` with version `to`: missing writes go into its history. */
function planJoin(situation: HealSituation, at: number, to: number): HealPlan {
  const { known, found } = situation
  const writes = chooseReplays(situation, at, to)
  const isBehind = found.head.version < known.version
  // If another process has deleted the session since, no earlier write belongs into it.
  const heals = found.head.exists && (writes.length > 0 || isBehind)
  return { at, heal: heals ? { deletion: undefined, writes, fork: undefined } : undefined }
}

/** Repeats a deletion of this process: the session has come back. */
function planDeletion({ held, deletion }: HealSituation, at: number): HealPlan {
  const since = held.filter(({ version }) => version > (deletion?.version ?? 0))
  return {
    at,
    heal: { deletion, writes: since.map(({ write, token }) => ({ ...write, token })), fork: undefined },
  }
}

/**
 * Another process has deleted the session that this one knows: no earlier write belongs into it. If the store had gone
 * back or lost the session, the tombstone may belong to an earlier life, or to none. Then the instant tells such a
 * deletion from the one after which the known life began; if it does not, the version does.
 */
function isDeletedByAnother({ known, found, deletion }: HealSituation, at: number): boolean {
  const { incarnation, version, operation, updatedAtMs } = found.head
  const isSameLife = known.incarnation !== '' && known.incarnation === incarnation
  const tellsInstant = known.updatedAtMs !== 0 && updatedAtMs !== known.updatedAtMs
  const isLater = tellsInstant ? updatedAtMs > known.updatedAtMs : version > at
  // An earlier heal may have repeated the own deletion, and not have written what came after it.
  const isOwn = operation !== '' && operation === deletion?.operation
  return found.isDeleted && (isSameLife || isLater) && !isOwn
}

function isDeletedAfter({ found, deletion }: HealSituation, at: number): boolean {
  return found.head.exists && deletion !== undefined && deletion.version > at
}

/** The first change of this process that the found history lacks, among the versions whose operations it remembers. */
function firstLost({ held, deletion, found }: HealSituation): number | undefined {
  const { ops = '' } = found.head
  if (ops === '') return undefined
  const changes = deletion ? [...held, deletion] : held
  const lost = changes.filter(
    ({ operation, version }) => operation !== '' && hasLost(ops, operation, version),
  )
  return lost.length === 0 ? undefined : Math.min(...lost.map(change => change.version))
}

function toVerdict({ known, found, foundVersion }: HealSituation): Verdict {
  const verdict = compareHistories(known, found.head, found.forks)
  const wasBehind = foundVersion < known.version
  if (verdict.kind === 'continues' && wasBehind && found.head.incarnation === known.incarnation) {
    return { kind: 'rewound', at: foundVersion }
  }
  return verdict.kind === 'rewound' ? { kind: 'rewound', at: Math.min(verdict.at, foundVersion) } : verdict
}

/**
 * The writes above version `at` that the found history does not replace by later ones. Each keeps its version there, so
 * that a third process can compare its own writes with it. `to`: the first version of the found history, if another
 * process began it. Writes of owners with lower tokens do not count.
 */
function chooseReplays({ found, held, fence }: HealSituation, at: number, to?: number): Replay[] {
  const outranks = found.head.fence < fence
  return held.flatMap(({ version, write, token }, i) => {
    if (version <= at) return []
    const later = found.versions[i]
    const isMissing =
      later === undefined ? to === undefined : later <= at || (later < version && later < (to ?? later + 1))
    if (isMissing) return [{ ...write, version, token }]
    const isByFormerOwner = outranks && to !== undefined && (later === undefined || later >= to)
    return isByFormerOwner ? [{ ...write, token }] : []
  })
}
