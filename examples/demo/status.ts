import type { Couple } from './couple.js'
import type { OutboxCount } from './outbox-count.js'
import type { StoreNote } from './store-note.js'

/** How the bots and their stores fare. */
export interface Status {
  bots: number
  /** Bots whose circuit breaker around MongoDB is open. */
  openBreakers: number
  /** Writes that wait for MongoDB; `undefined` while Redis, where they lie, cannot be asked. */
  outbox: number | undefined
  /** Reads that MongoDB has answered in place of Redis. */
  readsByMongo: number
  sent: number
  decrypted: number
}

/** `notes` has the last one of each bot. */
export async function readStatus(
  couples: readonly Couple[],
  notes: ReadonlyMap<string, StoreNote>,
  outbox: OutboxCount,
): Promise<Status> {
  const all = [...notes.values()]
  return {
    bots: 2 * couples.length,
    openBreakers: all.filter(({ breaker }) => breaker === 'open').length,
    outbox: await outbox.read(),
    readsByMongo: all.reduce((sum, note) => sum + note.readsByMongo, 0),
    sent: couples.reduce((sum, couple) => sum + couple.sent, 0),
    decrypted: couples.reduce((sum, couple) => sum + couple.decrypted.size, 0),
  }
}
