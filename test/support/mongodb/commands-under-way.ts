import { setTimeout as sleep } from 'node:timers/promises'
import { MongoClient } from 'mongodb'

const known = new WeakSet<MongoClient>()
let underWay = 0

const { connect } = MongoClient.prototype
/** Counts the connections in use. The stores make their clients themselves, so this has to see all of the process. */
MongoClient.prototype.connect = function (this: MongoClient) {
  if (!known.has(this)) {
    known.add(this)
    this.on('connectionCheckedOut', () => underWay++)
    this.on('connectionCheckedIn', () => underWay--)
  }
  return connect.call(this)
}

/**
 * Resolves when nothing is on its way to MongoDB. A process may still be sending what another one has sent for it: a
 * database that goes back cuts such connections, and a test that puts earlier documents back does not.
 */
export async function untilNothingIsUnderWay(): Promise<void> {
  for (let quiet = 0; quiet < 3; await sleep(10)) quiet = underWay === 0 ? quiet + 1 : 0
}
