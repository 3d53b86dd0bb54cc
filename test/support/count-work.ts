import { createHook } from 'node:async_hooks'
import type { HeapProfiler } from 'node:inspector'
import { Session } from 'node:inspector/promises'

/** What a call makes, whatever the speed of the machine. */
export interface Work {
  promises: number
  /** Of the heap, to the nearest kilobyte. */
  kilobytes: number
}

const RUNS = 7

/** The least of several runs: timers and answers of other calls may add to some of them. */
export async function countWork(call: () => Promise<unknown>): Promise<Work> {
  for (let warm = 0; warm < 50; warm++) await call() // compiled code allocates less
  const promises: number[] = []
  const bytes: number[] = []
  for (let run = 0; run < RUNS; run++) {
    promises.push(await countPromises(call))
    bytes.push(await countBytes(call))
  }
  return { promises: Math.min(...promises), kilobytes: Math.round(Math.min(...bytes) / 1024) }
}

async function countPromises(call: () => Promise<unknown>): Promise<number> {
  let count = 0
  const hook = createHook({
    init(_id, type) {
      if (type === 'PROMISE') count++
    },
  }).enable()
  try {
    await call()
  } finally {
    hook.disable()
  }
  return count
}

/** Bytes allocated on the heap, also those that are garbage by now. */
async function countBytes(call: () => Promise<unknown>): Promise<number> {
  const session = new Session()
  session.connect()
  try {
    await session.post('HeapProfiler.startSampling', {
      samplingInterval: 64,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    })
    await call()
    const { profile } = await session.post('HeapProfiler.stopSampling')
    return sizeOf(profile.head)
  } finally {
    session.disconnect()
  }
}

function sizeOf({ selfSize, children }: HeapProfiler.SamplingHeapProfileNode): number {
  return children.reduce((sum, child) => sum + sizeOf(child), selfSize)
}
