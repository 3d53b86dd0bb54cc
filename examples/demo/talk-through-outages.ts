import type { Couple } from './couple.js'
import { type OutageCounts, takeAwayEach } from './outage.js'
import { openOutboxCount } from './outbox-count.js'
import type { Place } from './place.js'
import { readStatus } from './status.js'
import type { StoreNote } from './store-note.js'

export interface OutageResult extends OutageCounts {
  /** Of the messages, from sending to decryption. */
  slowestMs: number
}

/** The couples talk until each database has been away and is back. */
export async function talkThroughOutages(
  { database, redis, mongo }: Place,
  couples: readonly Couple[],
  notes: ReadonlyMap<string, StoreNote>,
): Promise<OutageResult> {
  if (database.store !== 'hybrid' || !redis || !mongo) throw new Error('there are no servers to take away')
  const sessionIds = couples.flatMap(couple => couple.sessionIds)
  const outbox = await openOutboxCount(database, sessionIds)
  let isOver = false
  const talking = couples.map(couple => couple.talkWhile(() => !isOver))
  const outages = takeAwayEach({ redis, mongo }, () => readStatus(couples, notes, outbox)).finally(() => {
    isOver = true
    outbox.close()
  })
  const [counts] = await Promise.all([outages, ...talking])
  return { ...counts, slowestMs: Math.max(...couples.map(couple => couple.slowestMs)) }
}
