import type { MongoClient } from 'mongodb'
import type { GivenMongoClient } from '../../../src/mongodb/index.js'

/**
 * A client that sends each operation of a bulk by itself, as a server that dies among them would leave them, and asks
 * `before` ahead of every command on a collection.
 */
export function inSteps(client: MongoClient, before: (command: string) => void): GivenMongoClient {
  const watch = (target: object): object =>
    new Proxy(target, {
      get(_, name: string) {
        const member = Reflect.get(target, name)
        if (typeof member !== 'function') return member
        return (...input: unknown[]) => {
          if (name === 'bulkWrite') return inTurn(target as BulkWriter, before, ...(input as BulkInput))
          before(name)
          return member.apply(target, input)
        }
      },
    })
  return {
    options: client.options,
    connect: () => client.connect(),
    close: () => client.close(),
    db(name) {
      const database = client.db(name)
      return {
        command: database.command.bind(database),
        collection: (...input: [string]) => watch(database.collection(...input)),
      }
    },
  }
}

type BulkInput = [operations: object[], options: { ordered: boolean }]
interface BulkWriter {
  bulkWrite(...input: BulkInput): Promise<BulkCounts>
}
interface BulkCounts {
  matchedCount: number
  upsertedCount: number
}

async function inTurn(
  target: BulkWriter,
  before: (command: string) => void,
  operations: object[],
  options: { ordered: boolean },
): Promise<BulkCounts> {
  const sum = { matchedCount: 0, upsertedCount: 0 }
  for (const [index, operation] of operations.entries()) {
    before(`bulkWrite ${index}`)
    const { matchedCount, upsertedCount } = await target.bulkWrite([operation], options)
    sum.matchedCount += matchedCount
    sum.upsertedCount += upsertedCount
  }
  return sum
}
