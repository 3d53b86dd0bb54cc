import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { FieldWrite } from '../../src/core/backend.js'
import type { Application } from '../../src/mongodb/changes.js'
import { DocumentNames } from '../../src/mongodb/document-names.js'
import type { HeadDocument } from '../../src/mongodb/documents.js'
import { applyIntent } from '../../src/mongodb/intents.js'
import { createMongoDatabase } from '../support/mongodb/mongodb-database.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'

/** Writes whose versions another database has given: they may come twice, and out of their order. */

let server: MongoServer
beforeAll(async () => {
  server = await startMongo({ shared: true })
}, 240_000)
afterAll(() => server?.stop())

async function setUp() {
  const database = createMongoDatabase(server.url)
  const backend = await database.open()
  onTestFinished(async () => {
    await backend.close()
    await database.remove()
  })
  const apply = (version: number, values: Record<string, string>, kind: Application['kind'] = 'fields') => {
    const operations = [{ id: `op${version}`, version, updatedAtMs: 1000 * version }]
    const writes = Object.entries(values).map(([id, text]) => write(id, text))
    return backend.apply('s', { version, fencingToken: 0, operations, kind }, writes)
  }
  await apply(1, { a: 'one', b: 'one' }, 'session')
  const read = async () => {
    const { head, fields } = await backend.readAll('s')
    const values = fields.map(({ id, bytes }) => [id, String(bytes)])
    return { version: head.version, ...Object.fromEntries(values) }
  }
  return { apply, backend, documents: database.documents, read }
}

const write = (id: string, text: string): FieldWrite => ({ type: 'session', id, bytes: Buffer.from(text) })

describe('writes that have their version', () => {
  test('are stored under it, once', async () => {
    const { apply, read } = await setUp()
    expect(await apply(5, { a: 'five' })).toMatchObject({ version: 5, isLate: false })
    expect(await apply(5, { a: 'five' })).toMatchObject({ version: 5, isLate: false })
    expect(await read()).toEqual({ version: 5, a: 'five', b: 'one' })
  })

  test('that come late lie below what is newer, and the session stays at its version', async () => {
    const { apply, read } = await setUp()
    await apply(5, { a: 'five' })
    expect(await apply(3, { a: 'three', b: 'three' })).toMatchObject({ version: 5, isLate: true })
    expect(await apply(4, { b: 'four' })).toMatchObject({ version: 5, isLate: true })
    expect(await read()).toEqual({ version: 5, a: 'five', b: 'four' })
    expect(await apply(6, { b: 'six' })).toMatchObject({ version: 6, isLate: false })
  })

  test('that come late into a session that was deleted, or began anew since, do not come back', async () => {
    const { apply, read } = await setUp()
    await apply(5, {}, 'deletion')
    expect(await apply(4, { a: 'four' })).toMatchObject({ isLate: true })
    expect(await read()).toEqual({ version: 5 })
    await apply(6, { c: 'six' }, 'session')
    await apply(4, { a: 'four' })
    expect(await read()).toEqual({ version: 6, c: 'six' })
  })

  test('of a version that another one has taken are late each time, also when they are known by then', async () => {
    const { apply, backend, read } = await setUp()
    await apply(5, { a: 'first' })
    const operations = [{ id: 'second', version: 5, updatedAtMs: 5000 }]
    const second = { version: 5, fencingToken: 0, operations, kind: 'fields' } as const
    const applySecond = () => backend.apply('s', second, [write('a', 'second')])
    const isLate = { isLate: true, newest: { id: 'op5' } }
    expect(await applySecond()).toMatchObject(isLate)
    expect(await applySecond()).toMatchObject(isLate)
    await apply(6, { b: 'six' })
    expect(await applySecond()).toMatchObject({ ...isLate, version: 6 })
    expect(await apply(5, { a: 'first' })).toMatchObject({ isLate: false })
    expect(await read()).toEqual({ version: 6, a: 'first', b: 'six' })
    // As a write of MongoDB's own it counts.
    const again = { operationId: 'second', writes: [write('a', 'second')] }
    expect(await backend.commit('s', again)).toMatchObject({ version: 7 })
    expect(await backend.commit('s', again)).toMatchObject({ version: 7 })
    expect(await read()).toEqual({ version: 7, a: 'second', b: 'six' })
  })

  test('and are all of a session that has expired bring it back to life', async () => {
    const { backend, documents, read } = await setUp()
    await documents.updateOne({ _id: new DocumentNames('s').head }, { $set: { endsAt: new Date(1) } })
    expect((await backend.read('s', [])).head.exists).toBe(false)
    const operations = [{ id: 'alive', version: 1, updatedAtMs: Date.now() }]
    const whole = { version: 1, fencingToken: 0, operations, kind: 'session' } as const
    const writes = [
      { type: 'creds', id: '', bytes: Buffer.from('creds') },
      write('a', 'one'),
      write('b', 'one'),
    ]
    expect(await backend.apply('s', whole, writes)).toMatchObject({ isLate: false })
    expect((await backend.read('s', [])).head.exists).toBe(true)
    expect(await read()).toMatchObject({ version: 1, a: 'one', b: 'one' })
  })

  test('that are being carried out are not taken off by who is late with others of the same version', async () => {
    const { documents, read } = await setUp()
    const names = new DocumentNames('s')
    const before = { ...(await documents.findOne({ _id: names.head })), v: 3 } as unknown as HeadDocument
    const own = [{ at: 'session/a', data: Buffer.from('three') }]
    const others = [{ at: 'session/b', data: Buffer.from('three') }]
    await documents.updateOne(
      { _id: names.head },
      { $set: { v: 3, late: 1, intent: { v: 3, writes: others } } },
    )
    const send = <T>(command: (collection: never) => Promise<T>) => command(documents as never)
    await applyIntent(send, names, { ...before, intent: { v: 3, writes: own } }, own, Date.now())
    expect(await read()).toEqual({ version: 3, a: 'three', b: 'three' }) // the latter by its intent
  })
})
