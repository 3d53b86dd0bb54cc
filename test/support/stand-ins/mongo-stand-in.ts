import type { MongoClient, MongoCollection, UpdateOne } from '../../../src/mongodb/client.js'
import { atOnce, type Deliver } from './deliver.js'
import type { DocumentsMemory, StoredDocument } from './documents-memory.js'

/** What the driver throws for a document that is there. */
class DuplicateKeyError extends Error {
  override readonly name = 'MongoServerError'
  readonly code = 11000
}

class BulkWriteError extends Error {
  override readonly name = 'MongoBulkWriteError'
  readonly code = 11000

  constructor(readonly writeErrors: { index: number; code: 11000 }[]) {
    super('E11000')
  }
}

/**
 * A client of one collection, whatever the name; as many as are made share what it holds. Only what a server does with
 * one document is one step: a read of many is two, and a bulk is as many as it has operations.
 */
export function createMongoStandIn(
  memory: DocumentsMemory,
  { deliver = atOnce, now = Date.now }: { deliver?: Deliver; now?: () => number } = {},
): MongoClient {
  const insert = (document: object) => {
    if (!memory.insert(document as StoredDocument)) throw new DuplicateKeyError('E11000')
  }
  const upsert = ({ filter, update, upsert: creates = false }: UpdateOne) => {
    const { _id } = filter as { _id: string }
    const matched = memory.update(filter, update)
    if (matched > 0 || !creates) return matched
    insert({ _id, ...update.$set })
    return 1
  }

  const collection: MongoCollection = {
    find: (filter, { projection = {}, sort, limit } = {}) => ({
      async toArray() {
        const names = memory.find(filter).map(({ _id }) => _id)
        const half = names[Math.floor(names.length / 2)] ?? ''
        const first = await deliver('find', () => memory.find(filter).filter(({ _id }) => _id <= half))
        const rest = await deliver('find on', () => memory.find(filter).filter(({ _id }) => _id > half))
        const found = [...first, ...rest].map(document => leaveOut(document, projection))
        const [by, direction] = Object.entries(sort ?? {})[0] ?? ['_id', 1]
        const isBefore = (a: unknown, b: unknown) => (a as string | number) < (b as string | number)
        return found.sort((a, b) => (isBefore(a[by], b[by]) ? -direction : direction)).slice(0, limit)
      },
    }),
    insertOne: document => deliver('insert', () => insert(document)),
    insertMany: documents => deliver('insert', () => documents.forEach(insert)),
    updateOne: (filter, update) => deliver('update', () => ({ matchedCount: memory.update(filter, update) })),
    updateMany: (filter, update) => deliver('update many', () => memory.update(filter, update, true)),
    deleteMany: filter => deliver('delete', () => memory.delete(filter)),
    async bulkWrite(operations, { ordered }) {
      const writeErrors: { index: number; code: 11000 }[] = []
      let matchedCount = 0
      for (const [index, { updateOne }] of operations.entries()) {
        if (ordered && writeErrors.length > 0) break
        try {
          matchedCount += await deliver('bulk', () => upsert(updateOne))
        } catch (error) {
          if (!(error instanceof DuplicateKeyError)) throw error
          writeErrors.push({ index, code: 11000 })
        }
      }
      if (writeErrors.length > 0) throw new BulkWriteError(writeErrors)
      return { matchedCount, upsertedCount: 0 } // together they count
    },
    indexes: async () => [
      { name: 'expiry', key: { expiresAt: 1 }, expireAfterSeconds: 0 },
      { name: 'sessions', key: { session: 1 } },
    ],
    createIndex: async () => 'created',
  }
  return {
    options: {},
    connect: async () => {},
    close: async () => {},
    db: () => ({
      collection: () => collection,
      command: () => deliver('command', () => ({ localTime: new Date(now()) })),
    }),
  }
}

function leaveOut(document: StoredDocument, projection: Readonly<Record<string, 0 | 1>>): StoredDocument {
  const names = Object.keys(projection).filter(name => projection[name] === 0)
  return Object.fromEntries(
    Object.entries(document).filter(([name]) => !names.includes(name)),
  ) as StoredDocument
}
