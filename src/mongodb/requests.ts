import { MAX_REMEMBERED } from '../core/store/operation-ids.js'
import type { DocumentNames } from './document-names.js'
import { type Found, type HeadDocument, type IntentWrite, toFound } from './documents.js'
import { MAX_INLINE_BYTES, sizeOf } from './intents.js'

/** What becomes of a head: what is set, and what is taken off (`undefined`). Without one nothing changes. */
export interface Change<T> {
  result: T
  head?: Partial<HeadDocument>
  /** The version that its writes carry; default that of the head. */
  writesVersion?: number
}

export interface Request {
  /** Of a commit; other changes have none. */
  writes: IntentWrite[] | undefined
  /** Whether others may be one change with it. */
  joins: boolean
  /** Whether it counts for nothing that there are fields without a head. */
  replacesRemains: boolean
  /** Throws what refuses it. */
  decide: (found: Found) => Change<unknown>
  /** Of `performance.now()`: when nobody waits for it any more. */
  endMs: number
  resolve: (result: never) => void
  reject: (error: unknown) => void
}

/** All of the requests, one after the other, as one change. */
export interface Outcome {
  /** `undefined`: nothing changes. */
  head: HeadDocument | undefined
  writes: IntentWrite[] | undefined
  writesVersion: number | undefined
  /** Whether each of them changes something: only then it may be tried on a guess. */
  isCertain: boolean
  /** Whether an answer goes by what was there already, without a change of its own. */
  isKnown: boolean
  /** Tells each what has become of it, once the change is made. */
  settle: () => void
}

/**
 * Takes from the queue what can be one change: as many operations as a session remembers, and as much as its head
 * holds.
 */
export function takeJoined(queue: Request[]): Request[] {
  let count = 0
  for (let bytes = 0; count < Math.min(queue.length, MAX_REMEMBERED); count++) {
    bytes += sizeOf(queue[count]?.writes ?? [])
    if (count > 0 && (bytes > MAX_INLINE_BYTES || !queue[count]?.joins || !queue[0]?.joins)) break
  }
  return queue.splice(0, count)
}

export function combine(
  names: DocumentNames,
  found: Found,
  requests: readonly Request[],
  nowMs: number,
): Outcome {
  let current = found
  let isCertain = true
  let isKnown = false
  let writesVersion: number | undefined
  const writes = new Map<string, IntentWrite>()
  const settlements: (() => void)[] = []
  for (const { decide, resolve, reject, writes: own = [] } of requests) {
    try {
      const { result, head, writesVersion: ownVersion } = decide(current)
      writesVersion = ownVersion
      settlements.push(() => resolve(result as never))
      if (head === undefined) {
        isCertain = false
        isKnown = true
      } else {
        current = toFound({ ...current.document, ...head, _id: names.head } as HeadDocument, nowMs)
        for (const write of own) writes.set(write.at, write)
      }
    } catch (error) {
      settlements.push(() => reject(error))
      isCertain = false
    }
  }
  const sorted = [...writes.values()].sort((a, b) => (a.at < b.at ? -1 : 1))
  return {
    head: current === found ? undefined : current.document,
    writes: requests.some(request => request.writes) ? sorted : undefined,
    writesVersion,
    isCertain,
    isKnown,
    settle: () => {
      for (const tell of settlements) tell()
    },
  }
}
