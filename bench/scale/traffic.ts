import { setTimeout as sleep } from 'node:timers/promises'
import type { AuthStateHandle, AuthStore } from '@luoarch/baileys-store-core'
import { makeSession } from '../values.js'
import type { ScaleOptions } from './arguments.js'
import { Times } from './load.js'
import { addressOf } from './values.js'

const TICK_MS = 5

export interface Traffic {
  gets: Times
  sets: Times
  failed: number
  /** Messages handled at once. */
  mostUnderWay: number
}

/**
 * Messages come at a fixed rate, whether or not those before have been handled: to each session in turn, one that it
 * reads the record of a conversation for, and writes it.
 */
export async function run(
  handles: readonly AuthStateHandle<AuthStore>[],
  { rate, trafficSeconds, keys }: ScaleOptions,
): Promise<Traffic> {
  const traffic: Traffic = { gets: new Times(), sets: new Times(), failed: 0, mostUnderWay: 0 }
  const underWay = new Set<Promise<void>>()
  const beganMs = performance.now()
  const total = rate * trafficSeconds
  let sent = 0
  while (sent < total) {
    const due = Math.min(total, Math.floor(((performance.now() - beganMs) * rate) / 1000))
    for (; sent < due; sent++) receive(sent)
    traffic.mostUnderWay = Math.max(traffic.mostUnderWay, underWay.size)
    await sleep(TICK_MS)
  }
  await Promise.all(underWay)
  return traffic

  function receive(message: number): void {
    const { state } = handles[message % handles.length] as AuthStateHandle<AuthStore>
    const handled: Promise<void> = handle(state.keys, addressOf(message % keys))
      .catch(() => {
        traffic.failed++
      })
      .finally(() => underWay.delete(handled))
    underWay.add(handled)
  }

  async function handle(store: AuthStateHandle<AuthStore>['state']['keys'], address: string): Promise<void> {
    const found = await traffic.gets.measure(async () => store.get('session', [address]))
    if (found[address] === undefined) throw new Error(`${address} is not there`)
    const record = makeSession() as never // Baileys declares bytes and hands out objects
    await traffic.sets.measure(async () => store.set({ session: { [address]: record } }))
  }
}
