import { compareHistories, type KnownHistory, type Verdict } from './histories.js'
import { findOperation, MAX_REMEMBERED } from './operation-ids.js'
import type { Commit, FieldWrite, HistoryResult } from './store.js'

/** A write that this process still holds, and the version that it had. */
export interface HeldWrite {
  readonly version: number
  /** As of `CommitResult`. */
  readonly operation: string
  readonly write: FieldWrite
}

/** What a process does about a history that does not go on from the one it knew. */
export interface HealPlan {
  /** The last version that both share; `undefined`: nothing that was seen is missing. */
  readonly at: number | undefined
  /** What is to be written, so that the found history has all of this process's own writes; `undefined`: nothing. */
  readonly heal: { readonly writes: readonly FieldWrite[]; readonly fork: Commit['fork'] } | undefined
}

export interface HealSituation {
  readonly known: KnownHistory
  readonly found: HistoryResult
  /** The version of the answer that told of the other history: the session may have been loaded anew since. */
  readonly foundVersion: number
  /** In the order of `found.versions`. */
  readonly held: readonly HeldWrite[]
  /** The highest fencing token that is known. */
  readonly fence: number
}

const NOTHING_MISSING: HealPlan = { at: undefined, heal: undefined }

export function planHeal(situation: HealSituation): HealPlan {
  const { known, found } = situation
  const verdict = toVerdict(situation)
  switch (verdict.kind) {
    case 'continues':
      return NOTHING_MISSING
    case 'unrelated':
      return { at: found.head.version, heal: undefined }
    case 'rewound': {
      const { at } = verdict
      const lost = firstLost(situation)
      if (lost !== undefined && lost <= at) return planJoin(situation, lost - 1, lost)
      const fork = known.incarnation === '' ? undefined : { from: known.incarnation, at }
      return { at, heal: { writes: chooseReplays(situation, at), fork } }
    }
    case 'diverged': {
      const lost = firstLost(situation) ?? known.version
      return planJoin(situation, lost - 1, lost)
    }
    case 'forked':
      return planJoin(situation, verdict.at, verdict.to)
  }
}

/** Another process has gone on from version `at` with version `to`: what is missing is written to its history. */
function planJoin(situation: HealSituation, at: number, to: number): HealPlan {
  const { known, found } = situation
  const writes = chooseReplays(situation, at, to)
  const isBehind = found.head.version < known.version
  // What another process has deleted since gets nothing of what was written before.
  const heals = found.head.exists && (writes.length > 0 || isBehind)
  return { at, heal: heals ? { writes, fork: undefined } : undefined }
}

/** The first own write that the found history does not know, though it remembers back to it. */
function firstLost({ held, found }: HealSituation): number | undefined {
  const { ops = '', version } = found.head
  if (ops === '') return undefined
  const lost = held.filter(
    write =>
      write.operation !== '' &&
      write.version > version - MAX_REMEMBERED &&
      !findOperation(ops, write.operation),
  )
  return lost.length === 0 ? undefined : Math.min(...lost.map(write => write.version))
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
