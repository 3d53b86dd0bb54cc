import { type Collection, type MongoClient, MongoWriteConcernError } from 'mongodb'
import type { GivenMongoClient } from '../../../src/mongodb/index.js'
import { alterClient } from './altered-client.js'

const WRITES = ['insertOne', 'insertMany', 'updateOne', 'updateMany', 'deleteMany', 'bulkWrite'] as const

/** A client whose majority can be taken away: writes are applied then, and answered with a write concern error. */
export function loseMajority(client: MongoClient) {
  let code: number | undefined
  let writes = 0
  const documents = (real: Collection) =>
    Object.fromEntries(
      WRITES.map(name => [
        name,
        async (...args: never[]) => {
          const answer = await (real[name] as (...given: never[]) => Promise<unknown>).apply(real, args)
          writes++
          if (code === undefined) return answer
          throw toError(code)
        },
      ]),
    )
  return {
    client: alterClient(client, { documents }) as GivenMongoClient,
    /** Of a write concern error, or `undefined`: writes are confirmed again. */
    failWith(next: number | undefined) {
      code = next
    },
    get writes() {
      return writes
    },
  }
}

function toError(code: number): MongoWriteConcernError {
  const writeConcernError = { code, codeName: `code ${code}`, errmsg: 'waiting for replication timed out' }
  return new MongoWriteConcernError({ ok: 1, writeConcernError } as never)
}
