import { type AnyBulkWriteOperation, MongoClient } from 'mongodb'
import type { Bot, Contender, Keys } from './bot.js'
import { type Bytes, Envelopes, parseAll } from './envelopes.js'
import { DATABASE, type Place } from './place.js'

interface RawDocument {
  _id: string
  v?: number
  fence?: number
  data?: Buffer
}

/** The same documents with the same write concern; a version that grows on the head. */
export async function createRawMongo({ mongoUrl }: Place, given?: Bytes): Promise<Contender> {
  const bytes: Bytes = given ?? (await Envelopes.create())
  const client = new MongoClient(mongoUrl)
  const documents = client.db(DATABASE).collection<RawDocument>(bytes.name, {
    writeConcern: { w: 'majority', journal: true },
    promoteBuffers: true,
  })
  return {
    name: bytes.name,
    async open(sessionId): Promise<Bot> {
      const head = `${sessionId}/`
      const credsId = `${head}creds/`
      await documents.updateOne({ _id: head }, { $inc: { fence: 1 } }, { upsert: true })
      await documents.findOne({ _id: credsId })
      const bump = { updateOne: { filter: { _id: head }, update: { $inc: { v: 1 } } } }
      return {
        async get(ids) {
          const _ids = ids.map(id => `${head}session/${id}`)
          const found = await documents.find({ _id: { $in: _ids } }).toArray()
          return parseAll(
            bytes,
            found.map(({ data }) => data),
          )
        },
        set: keys => documents.bulkWrite([bump, ...toOperations(head, keys, bytes)], { ordered: true }),
        saveCreds: () => documents.bulkWrite([bump, toUpsert(credsId, bytes.creds)], { ordered: true }),
        close: async () => {},
      }
    },
    close: () => client.close(),
  }
}

function toOperations(head: string, keys: Keys, bytes: Bytes): AnyBulkWriteOperation<RawDocument>[] {
  return Object.entries(keys).flatMap(([type, values]) =>
    Object.entries(values).map(([id, value]) => {
      const _id = `${head}${type}/${id}`
      return value === null ? { deleteOne: { filter: { _id } } } : toUpsert(_id, bytes.of(value))
    }),
  )
}

function toUpsert(_id: string, data: Buffer) {
  return { updateOne: { filter: { _id }, update: { $set: { v: 1, data } }, upsert: true } }
}
