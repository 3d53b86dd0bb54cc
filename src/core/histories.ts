import type { Fork, Head } from './store.js'

/**
 * A version alone does not say which history it belongs to: after a database has gone back in time, another process may
 * write the versions once more. So each session has an incarnation: the id of the operation that it began with, or by
 * which it was healed. A store keeps, with it, where the incarnations before it ended:
 *
 *   <incarnation> <last version that was kept> <version that the next one began with>\n     the last one first
 */
const MAX_FORKS = 8

/** What a head knows of its history. Both are empty where nothing is known: in sessions of earlier releases. */
export interface StoredHistory {
  readonly incarnation: string
  readonly forks: string
}

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
  /** As far as it had to look at them. */
  readonly forks: readonly Fork[]
}

/**
 * How the history that was found follows from the one that is known.
 *
 *   continues   everything that was seen is in it
 *   rewound     the store went back to version `at`, and nobody has healed it
 *   forked      another process has healed it: of what was seen, what is above `at` is missing; its history
 *               began with version `to`
 *   unrelated   it is another session of the same name: nothing that was written before belongs into it
 */
export type Verdict =
  | { readonly kind: 'continues' | 'unrelated' }
  | { readonly kind: 'rewound'; readonly at: number }
  | { readonly kind: 'forked'; readonly at: number; readonly to: number }

/** Decides by the head alone: `false` asks for `compareHistories`, with the forks. */
export function continuesFrom(known: Omit<KnownHistory, 'forks'>, { incarnation, version }: Head): boolean {
  const isSame = incarnation === known.incarnation || incarnation === '' || known.incarnation === ''
  return isSame && version >= known.version
}

export function compareHistories(known: KnownHistory, found: Head, forks: readonly Fork[]): Verdict {
  if (continuesFrom(known, found)) return { kind: 'continues' }
  const { incarnation, version } = found
  if (incarnation === known.incarnation || incarnation === '' || known.incarnation === '') {
    return { kind: 'rewound', at: version }
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
