import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { DocumentNames } from '../../src/mongodb/document-names.js'
import type { HeadDocument } from '../../src/mongodb/documents.js'
import { applyIntent } from '../../src/mongodb/intents.js'
import { createMongoDatabase } from '../support/mongodb/mongodb-database.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'

let server: MongoServer
beforeAll(async () => {
  server = await startMongo({ shared: true })
}, 240_000)
afterAll(() => server?.stop())

test("the later of two writes of one version does not take the other one's intent off the head", async () => {
  const database = createMongoDatabase(server.url)
  const { documents } = database
  const backend = await database.open()
  onTestFinished(async () => {
    await backend.close()
    await database.remove()
  })
  const operations = [{ id: 'op1', version: 1, updatedAtMs: 1000 }]
  const names = new DocumentNames('s')
  const fields = ['a', 'b'].map(id => ({ type: 'session', id, bytes: Buffer.from('one') }))
  await backend.apply('s', { version: 1, fencingToken: 0, operations, kind: 'session' }, fields)
  const before = { ...(await documents.findOne({ _id: names.head })), v: 3 } as unknown as HeadDocument
  const own = [{ at: 'session/a', data: Buffer.from('three') }]
  const others = [{ at: 'session/b', data: Buffer.from('three') }]
  await documents.updateOne(
    { _id: names.head },
    { $set: { v: 3, late: 1, intent: { v: 3, writes: others } } },
  )
  const send = <T>(command: (collection: never) => Promise<T>) => command(documents as never)
  await applyIntent(send, names, { ...before, intent: { v: 3, writes: own } }, own, Date.now())
  const found = await backend.readAll('s')
  expect(found.head.version).toBe(3)
  expect(found.fields.map(({ bytes }) => String(bytes))).toEqual(['three', 'three']) // the second by its intent
})
