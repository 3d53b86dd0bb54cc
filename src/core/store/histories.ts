import type { Fork, Head, OwnStep, StoredHistory } from '../backend.js'
import { hasLost } from './operation-ids.js'

/**
 * A version alone does not name a history: after a database has gone back in time, another process may take the
 * versions again. So a process remembers which operation wrote the version that it has seen. Each session has an
 * incarnation: the id of the operation that began or healed it. The store also keeps where earlier incarnations ended:
 *
 *   <incarnation> <last version kept> <first version of the next one>\n     latest first
 */
export const MAX_FORKS = 8

/** What a database answers for a session that it has never heard of. */
export const NO_HEAD: Head = {
  exists: false,
  version: 0,
  fence: 0,
  updatedAtMs: 0,
  incarnation: '',
  operation: '',
}

/** What a commit does to a history. */
export interface Step {
  readonly operationId: string
  /** Whether the session begins with this commit. */
  readonly begins: boolean
  /** For a heal: the incarnation that it continues, and the last version of it that is left. */
  readonly fork: { readonly from: string; readonly at: number } | undefined
  /** The versions of the session before and after. */
  readonly before: number
  readonly version: number
}

export function nextHistory(history: StoredHistory, step: Step): StoredHistory {
  const { incarnation, forks } = history
  const { operationId, begins, version } = step
  if (step.fork) return { incarnation: operationId, forks: noteFork(forks, { ...step.fork, to: version }) }
  if (!begins) return { incarnation: incarnation === '' ? operationId : incarnation, forks }
  // Nothing that was lost before the end of the last life belongs into this one: its forks end with it.
  const last = { from: incarnation, at: step.before, to: version }
  return { incarnation: operationId, forks: incarnation === '' ? '' : formatForks([last]) }
}

export function noteFork(forks: string, { from, at, to }: Fork): string {
  const older = forks.split('\n').slice(0, MAX_FORKS - 1)
  return [`${from} ${at} ${to}`, ...older].filter(line => line !== '').join('\n')
}

export function parseForks(forks: string): Fork[] {
  const lines = forks.split('\n').filter(line => line !== '')
  return lines.map(line => {
    const [from = '', at, to] = line.split(' ')
    return { from, at: Number(at), to: Number(to) }
  })
}

export function formatForks(forks: readonly Fork[]): string {
  return forks.map(({ from, at, to }) => `${from} ${at} ${to}`).join('\n')
}

/** What a process knows of a session's history. */
export interface KnownHistory {
  readonly incarnation: string
  readonly version: number
  /** The operation that wrote the version; empty if unknown. */
  readonly operation: string
  /** The last change of this process, if another operation wrote the version; `undefined`: unknown. */
  readonly own?: OwnStep | undefined
  /** The instant of the last change seen, by the database's clock; 0: unknown. */
  readonly updatedAtMs: number
  /** Whether the session existed at the last look; `false`: it was deleted, or had expired. */
  readonly exists: boolean
  /** The forks that the process has needed so far. */
  readonly forks: readonly Fork[]
}

/** What a single answer tells. */
export type SeenHistory = Omit<KnownHistory, 'forks'>

/**
 * How the found history follows from the known one.
 *
 *   continues   it has everything that was seen
 *   rewound     the store went back to version `at`, and no process has written since
 *   forked      another process has begun a new history with version `to`: it lacks what was seen above `at`
 *   diverged    another process has written without noticing: the operation that wrote the version seen is missing
 *   unrelated   it is another session of the same name: no earlier write belongs into it
 */
export type Verdict =
  | { readonly kind: 'continues' | 'diverged' | 'unrelated' }
  | { readonly kind: 'rewound'; readonly at: number }
  | { readonly kind: 'forked'; readonly at: number; readonly to: number }

/** Decides by the head alone. `false`: the answer is no, or uncertain; `compareHistories` decides with the forks. */
export function continuesFrom(known: Omit<SeenHistory, 'exists' | 'updatedAtMs'>, found: Head): boolean {
  return (
    isSame(known.incarnation, found.incarnation) && found.version >= known.version && isInOrder(known, found)
  )
}

export function compareHistories(known: KnownHistory, found: Head, forks: readonly Fork[]): Verdict {
  const { incarnation, version } = found
  if (isSame(known.incarnation, incarnation)) {
    if (version < known.version) return { kind: 'rewound', at: version }
    // After a deletion by another process, an earlier difference no longer matters.
    return { kind: !found.exists || isInOrder(known, found) ? 'continues' : 'diverged' }
  }
  const fork = forks.find(({ from }) => from === known.incarnation)
  if (fork) {
    const { at, to } = fork
    return known.version <= at ? { kind: 'continues' } : { kind: 'forked', at, to }
  }
  const ancestor = known.forks.find(({ from }) => from === incarnation)
  if (ancestor) return { kind: 'rewound', at: Math.min(version, ancestor.at) }
  if (found.exists) return { kind: 'unrelated' }
  if (version < known.version) return { kind: 'rewound', at: version }
  // The tombstone of an earlier life. If that deletion was repeated, its version is above those of the known life.
  const isEarlier = known.updatedAtMs !== 0 && found.updatedAtMs < known.updatedAtMs
  return isEarlier ? { kind: 'rewound', at: 0 } : { kind: 'unrelated' }
}

/** Whether two incarnations are the same; an unknown one counts as the same. */
function isSame(one: string, other: string): boolean {
  return one === other || one === '' || other === ''
}

/**
 * Whether the operation that wrote the version seen comes before the one found, and the last one of this process as
 * well, as far as the store remembers.
 */
function isInOrder(
  known: Pick<SeenHistory, 'version' | 'operation' | 'own'>,
  { version, operation, ops }: Head,
): boolean {
  const isSeen = known.operation === '' || (version === known.version && operation === known.operation)
  if (ops === undefined) return isSeen || operation === ''
  const { own } = known
  if (own && hasLost(ops, own.operation, own.version)) return false
  return isSeen || !hasLost(ops, known.operation, known.version)
}
