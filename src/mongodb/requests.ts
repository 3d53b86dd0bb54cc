import { MAX_REMEMBERED } from '../core/store/operation-ids.js'
import type { DocumentNames } from './document-names.js'
import { type Found, type HeadDocument, type IntentWrite, toFound } from './documents.js'
import { MAX_INLINE_BYTES, sizeOf } from './intents.js'

/** A change of a head: members to set, and members to remove (`undefined`). Without `head`, nothing changes. */
export interface Change<T> {
  result: T
  head?: Partial<HeadDocument>
  /** The version of its writes; default the head's. */
  writesVersion?: number
}

export interface Request {
  /** Set for a commit; other changes write no fields. */
  writes: IntentWrite[] | undefined
  /** Whether it can share a change with other requests. */
  joins: boolean
  /** Whether it may begin with a guessed head. A deletion may not: it also mends what nothing compares. */
  mayGuess: boolean
  /** Whether it ignores fields without a head. */
  replacesRemains: boolean
  /** Throws to refuse the request. */
  decide: (found: Found) => Change<unknown>
  /** The deadline, on the clock of `performance.now()`: no caller waits after it. */
  endMs: number
  resolve: (result: never) => void
  reject: (error: unknown) => void
}

/** The result of all requests, one after the other, as one change. */
export interface Outcome {
  /** `undefined`: nothing changes. */
  head: HeadDocument | undefined
  writes: IntentWrite[] | undefined
  writesVersion: number | undefined
  /** Whether each request changes something. Only then may the change be tried on a guessed head. */
  isCertain: boolean
  /** Whether an answer relies on what was there, without a change of its own. */
  isKnown: boolean
  /** Settles each request's promise, once the change is made. */
  settle: () => void
}

/**
 * Takes the requests that can be one change from the queue: at most as many operations as a session remembers, and as
 * many bytes as its head holds.
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
