import type { Commit, FieldWrite, HistoryResult } from '../backend.js'
import { compareHistories, type KnownHistory, type Verdict } from './histories.js'
import { findOperation, MAX_REMEMBERED } from './operation-ids.js'

/** A change that this process has made. */
interface HeldChange {
  /** That it had. */
  readonly version: number
  /** As of `CommitResult`. */
  readonly operation: string
}

export interface HeldWrite extends HeldChange {
  readonly write: FieldWrite
}

export interface HeldDeletion extends HeldChange {
  /** Of the tombstone: who has a higher token has opened the session since. */
  readonly fence: number
}

/** What a process does about a history that does not go on from the one it knew. */
export interface HealPlan {
  /** The last version that both share; `undefined`: nothing that was seen is missing. */
  readonly at: number | undefined
  /** What brings the found history to what this process has done; `undefined`: nothing is to be done. */
  readonly heal: Heal | undefined
}

export interface Heal {
  /** It is carried out again before the writes. */
  readonly deletion: HeldDeletion | undefined
  readonly writes: readonly FieldWrite[]
  readonly fork: Commit['fork']
}

export interface HealSituation {
  readonly known: KnownHistory
  readonly found: HistoryResult
  /** The version of the answer that told of the other history: the session may have been loaded anew since. */
  readonly foundVersion: number
  /** In the order of `found.versions`, the last of which is that of the creds. */
  readonly held: readonly HeldWrite[]
  readonly deletion: HeldDeletion | undefined
  /** The highest fencing token that is known. */
  readonly fence: number
}

const NOTHING_MISSING: HealPlan = { at: undefined, heal: undefined }

export function planHeal(situation: HealSituation): HealPlan {
  const { known, found } = situation
  const verdict = toVerdict(situation)
  if (!known.exists && !found.head.exists) return NOTHING_MISSING
  switch (verdict.kind) {
    case 'continues':
      return NOTHING_MISSING
    case 'unrelated':
      return { at: found.head.version, heal: undefined }
    case 'rewound': {
      const { at } = verdict
      const lost = firstLost(situation)
      const continues = lost !== undefined && lost <= at && !endsByOwnDeletion(situation)
      if (continues) return planJoin(situation, lost - 1, lost)
      return planRewrite(situation, at)
    }
    case 'diverged': {
      const lost = firstLost(situation) ?? known.version
      // In the same incarnation it is still the session that was deleted.
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

/** Nobody has gone on from version `at`. */
function planRewrite(situation: HealSituation, at: number): HealPlan {
  if (isDeletedAfter(situation, at)) return planDeletion(situation, at)
  const { incarnation } = situation.known
  const fork = incarnation === '' ? undefined : { from: incarnation, at }
  return { at, heal: { deletion: undefined, writes: chooseReplays(situation, at), fork } }
}

/** Another process has gone on from version `at` with version `to`: what is missing is written to its history. */
function planJoin(situation: HealSituation, at: number, to: number): HealPlan {
  const { known, found } = situation
  const writes = chooseReplays(situation, at, to)
  const isBehind = found.head.version < known.version
  // What another process has deleted since gets nothing of what was written before.
  const heals = found.head.exists && (writes.length > 0 || isBehind)
  return { at, heal: heals ? { deletion: undefined, writes, fork: undefined } : undefined }
}

/** A session that this process has deleted is there again. */
function planDeletion({ held, deletion }: HealSituation, at: number): HealPlan {
  const since = held.filter(({ version }) => version > (deletion?.version ?? 0))
  return { at, heal: { deletion, writes: since.map(({ write }) => write), fork: undefined } }
}

/** A heal that was to write what came after the deletion has got no further. */
function endsByOwnDeletion({ found, deletion }: HealSituation): boolean {
  const { exists, operation } = found.head
  return !exists && operation !== '' && operation === deletion?.operation
}

function isDeletedAfter({ found, deletion }: HealSituation, at: number): boolean {
  return found.head.exists && deletion !== undefined && deletion.version > at
}

/** The first own change that the found history does not know, though it remembers back to it. */
function firstLost({ held, deletion, found }: HealSituation): number | undefined {
  const { ops = '', version } = found.head
  if (ops === '') return undefined
  const changes = deletion ? [...held, deletion] : held
  const lost = changes.filter(
    change =>
      change.operation !== '' &&
      change.version > version - MAX_REMEMBERED &&
      !findOperation(ops, change.operation),
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
 * The writes above version `at` over which the found history has nothing later. Each keeps its version there, so that a
 * third process can compare its own with it. `to`: the version that the found history began with, where another process
 * began it. What owners of lower tokens have written since does not count.
 */
function chooseReplays({ found, held, fence }: HealSituation, at: number, to?: number): FieldWrite[] {
  const outranks = found.head.fence < fence
  return held.flatMap(({ version, write }, i) => {
    if (version <= at) return []
    const later = found.versions[i]
    const isMissing =
      later === undefined ? to === undefined : later <= at || (later < version && later < (to ?? later + 1))
    if (isMissing) return [{ ...write, version }]
    const isByFormerOwner = outranks && to !== undefined && (later === undefined || later >= to)
    return isByFormerOwner ? [write] : []
  })
}
