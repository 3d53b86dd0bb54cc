import { expect, test } from 'vitest'
import type { AuthPatch, AuthSnapshot } from '../../src/index.js'
import { createMongoStore, type MongoAuthStore } from '../../src/mongodb/index.js'
import { useServer } from '../support/mongodb/own-collection.js'
import { type DyingWriter, writeAndDie } from '../support/mongodb/write-and-die.js'

const AT_ONCE = 3
const CREDS = { registrationId: 7 }

const server = useServer('crash')

const before = { creds: { ...CREDS, n: 0 }, keys: { session: { a: 'old', b: 'old', gone: 'old' } } }
const patch: AuthPatch = {
  creds: { ...CREDS, n: 1 },
  keys: { session: { a: 'new', c: 'new', gone: null }, 'lid-mapping': { 'x/y%': 'new' } },
}
const after = {
  creds: { ...CREDS, n: 1 },
  keys: { session: { a: 'new', b: 'old', c: 'new' }, 'lid-mapping': { 'x/y%': 'new' } },
}
/** More than the head holds by itself. */
const large = Object.fromEntries(['p', 'q', 'r'].map(id => [id, id.repeat(7_000_000)]))

interface Case {
  task: DyingWriter['task']
  before: AuthPatch | null
  after: object | null
  /** Commands that must be among those before which the process died. */
  steps: string[]
}
const cases: [string, Case][] = [
  [
    'a write',
    {
      task: { kind: 'set', patch },
      before,
      after,
      steps: ['updateOne', 'bulkWrite 0', 'bulkWrite 5'],
    },
  ],
  [
    'the first write',
    { task: { kind: 'set', patch: before }, before: null, after: before, steps: ['insertOne'] },
  ],
  [
    'a write larger than a document',
    {
      task: { kind: 'set', patch: { keys: { session: large } } },
      before,
      after: { ...before, keys: { session: { a: 'old', b: 'old', gone: 'old', ...large } } },
      steps: ['insertOne', 'updateOne', 'bulkWrite 0', 'bulkWrite 3', 'deleteMany'],
    },
  ],
  [
    'a deletion',
    { task: { kind: 'delete' }, before, after: null, steps: ['find', 'updateOne', 'deleteMany'] },
  ],
]

test.each(cases)(
  'a process killed before any command of %s leaves all of it or nothing, and the next writer goes on',
  { timeout: 240_000 },
  async (_, { task, before, after, steps }) => {
    const place = server.place()
    const open = () =>
      createMongoStore({
        mongoUrl: server.url,
        ...place,
        resilience: { operationTimeout: 60_000 },
      })
    const died: string[] = []
    const outcomes = new Set<string>()

    /** `false` if the task has no such command. */
    async function dieAt(n: number): Promise<boolean> {
      const sessionId = `${n}`
      const store = await open()
      if (before) await store.set(sessionId, before)
      const writer = { url: server.url, ...place, sessionId, task, dieAt: n }
      const command = await writeAndDie(writer)
      if (command !== undefined) died.push(command)
      const found = (await store.get(sessionId))?.data ?? null
      const isAfter = JSON.stringify(sorted(found)) === JSON.stringify(sorted(after))
      if (!isAfter) expect(found).toEqual(before)
      else if (command === undefined) expect(found).toEqual(after)
      outcomes.add(isAfter ? 'all' : 'nothing')
      await expectReaders(store, sessionId, found)
      const next = { 'pre-key': { next: n } }
      const current = (await store.get(sessionId))?.version ?? 0
      const { version } = await store.set(sessionId, { creds: CREDS, keys: next })
      expect(version).toBeGreaterThan(current)
      expect((await store.get(sessionId))?.data).toEqual({
        creds: CREDS,
        keys: { ...found?.keys, ...next },
      })
      const heads = server.documents(place.collection)
      expect(await heads.findOne({ _id: `${sessionId}/`, intent: { $exists: true } })).toBeNull()
      await store.close()
      return command !== undefined
    }

    const warm = await open()
    await warm.isHealthy()
    for (let from = 1, isOver = false; !isOver; from += AT_ONCE) {
      const steps = Array.from({ length: AT_ONCE }, (_, i) => from + i)
      isOver = (await Promise.all(steps.map(dieAt))).includes(false)
    }
    await warm.close()
    expect(died).toEqual(expect.arrayContaining(steps))
    expect([...outcomes].sort()).toEqual(['all', 'nothing'])
  },
)

/** Every kind of read gives the same answer. */
async function expectReaders(
  store: MongoAuthStore,
  sessionId: string,
  found: AuthSnapshot | null,
): Promise<void> {
  const { session = {} } = found?.keys ?? {}
  const ids = ['a', 'b', 'c', 'gone', ...Object.keys(large)]
  expect(await store.getKeys(sessionId, 'session', ids)).toEqual(session)
  const listed = await store.listKeys(sessionId, 'session')
  expect(listed.map(({ id }) => id).sort()).toEqual(Object.keys(session).sort())
  expect(await store.exists(sessionId)).toBe(found !== null)
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, child]) => [name, sorted(child)]),
  )
}
