import type { Fork, Head, StoredHistory } from '../backend.js'
import { findOperation, MAX_REMEMBERED } from './operation-ids.js'

/**
 * A version alone does not say which history it belongs to: after a database has gone back in time, another process may
 * write the versions once more. So a process remembers which operation wrote the version that it has seen, and each
 * session has an incarnation: the id of the operation that it began with, or by which it was healed. A store keeps, with
 * it, where the incarnations before it ended:
 *
 *   <incarnation> <last version that was kept> <version that the next one began with>\n     the last one first
 */
export const MAX_FORKS = 8

/** What a commit does to a history. */
export interface Step {
  readonly operationId: string
  /** Whether the session begins with it. */
  readonly begins: boolean
  /** Of a heal: which incarnation it goes on from, and its last version that is still there. */
  readonly fork: { readonly from: string; readonly at: number } | undefined
  /** The versions of the session before and after. */
  readonly before: number
  readonly version: number
}

export function nextHistory(history: StoredHistory, step: Step): StoredHistory {
  const { incarnation, forks } = history
  const { operationId, begins, version } = step
  const fork =
    step.fork ?? (begins && incarnation !== '' ? { from: incarnation, at: step.before } : undefined)
  if (fork) return { incarnation: operationId, forks: noteFork(forks, { ...fork, to: version }) }
  return { incarnation: begins || incarnation === '' ? operationId : incarnation, forks }
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

/** What a process knows of a session. */
export interface KnownHistory {
  readonly incarnation: string
  readonly version: number
  /** That wrote the version; empty where it is not known. */
  readonly operation: string
  /** Whether there was a session when it was last looked at; `false`: it had been deleted, or had expired. */
  readonly exists: boolean
  /** As far as it had to look at them. */
  readonly forks: readonly Fork[]
}

/** What can be told from an answer alone. */
export type SeenHistory = Omit<KnownHistory, 'forks'>

/**
 * How the history that was found follows from the one that is known.
 *
 *   continues   everything that was seen is in it
 *   rewound     the store went back to version `at`, and nobody has written to it since
 *   forked      another process has: of what was seen, what is above `at` is missing; its history began with version `to`
 *   diverged    another process has, without noticing: it does not know the operation that wrote the version seen
 *   unrelated   it is another session of the same name: nothing that was written before belongs into it
 */
export type Verdict =
  | { readonly kind: 'continues' | 'diverged' | 'unrelated' }
  | { readonly kind: 'rewound'; readonly at: number }
  | { readonly kind: 'forked'; readonly at: number; readonly to: number }

/** Decides by the head alone. `false`: it does not, or not for sure; `compareHistories` tells, with the forks. */
export function continuesFrom(known: Omit<SeenHistory, 'exists'>, found: Head): boolean {
  return (
    isSame(known.incarnation, found.incarnation) && found.version >= known.version && isInOrder(known, found)
  )
}

export function compareHistories(known: KnownHistory, found: Head, forks: readonly Fork[]): Verdict {
  const { incarnation, version } = found
  if (isSame(known.incarnation, incarnation)) {
    if (version < known.version) return { kind: 'rewound', at: version }
    // What another process has deleted is no longer what was seen, whatever has become of it before.
    return { kind: !found.exists || isInOrder(known, found) ? 'continues' : 'diverged' }
  }
  const fork = forks.find(({ from }) => from === known.incarnation)
  if (fork) {
    const { at, to } = fork
    return known.version <= at ? { kind: 'continues' } : { kind: 'forked', at, to }
  }
  const ancestor = known.forks.find(({ from }) => from === incarnation)
  if (ancestor) return { kind: 'rewound', at: Math.min(version, ancestor.at) }
  return found.exists || version >= known.version ? { kind: 'unrelated' } : { kind: 'rewound', at: version }
}

/** Of two that may not be known. */
function isSame(one: string, other: string): boolean {
  return one === other || one === '' || other === ''
}

/** Whether the operation that wrote the version seen comes before the one found, as far as that is remembered. */
function isInOrder(
  known: Pick<SeenHistory, 'version' | 'operation'>,
  { version, operation, ops }: Head,
): boolean {
  if (known.operation === '' || operation === '') return true
  if (version === known.version) return operation === known.operation
  if (ops === undefined) return false
  const isForgotten = version - known.version >= MAX_REMEMBERED
  return isForgotten || findOperation(ops, known.operation) !== undefined
}
