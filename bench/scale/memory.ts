import { setImmediate as nextTurn } from 'node:timers/promises'
import { queryObjects } from 'node:v8'

export interface Memory {
  /** Objects, closures, strings. */
  heapBytes: number
  /** What V8 keeps outside of its heap: the bytes of Buffers, for the most part. */
  externalBytes: number
  /** Of the process, with what neither of them counts, and with what is free and not given back. */
  rssBytes: number
}

/** After all garbage is gone. */
export async function measureMemory(): Promise<Memory> {
  if (globalThis.gc === undefined) throw new Error('run node with --expose-gc')
  for (let round = 0; round < 4; round++) {
    globalThis.gc()
    await nextTurn() // for finalizers, and for promises that hold something
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heapBytes: heapUsed, externalBytes: external, rssBytes: rss }
}

/** Of one among `count`. */
export function share(before: Memory, after: Memory, count: number): Memory {
  return {
    heapBytes: (after.heapBytes - before.heapBytes) / count,
    externalBytes: (after.externalBytes - before.externalBytes) / count,
    rssBytes: (after.rssBytes - before.rssBytes) / count,
  }
}

const Timeout = setTimeout(() => {}).constructor

/** `setTimeout` and `setInterval`, those that let the process end among them. */
export function countTimers(): number {
  return queryObjects(Timeout, { format: 'count' })
}

export function countSockets(): number {
  return process.getActiveResourcesInfo().filter(resource => resource === 'TCPSocketWrap').length
}
