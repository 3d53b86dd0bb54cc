import { BSON } from 'mongodb'
import { describe, expect, test } from 'vitest'
import { GatheredFinds } from '../../src/mongodb/gathered-finds.js'
import { createMongoStore } from '../../src/mongodb/index.js'
import { CREDS } from '../conformance/auth-store/harness.js'
import { useServer } from '../support/mongodb/own-collection.js'
import { recordCommands, toNames } from '../support/mongodb/record-commands.js'

const server = useServer('gathered-finds')

describe('keys read one by one and all at once', () => {
  test.each([
    ['of one session', (n: number) => ['s0', `k${n}`] as const, 3000],
    ['of many sessions', (n: number) => [`s${n % 100}`, `k${n}`] as const, 3000],
  ])(
    '(%s) share commands, and each has its own value',
    async (_, nameOf, reads) => {
      const place = server.place()
      const resilience = { operationTimeout: 60_000 }
      const store = await createMongoStore({ mongoClient: server.client, ...place, resilience })
      const bySession = new Map<string, Record<string, string>>()
      for (let n = 0; n < reads; n++) {
        const [sessionId, id] = nameOf(n)
        bySession.set(sessionId, { ...bySession.get(sessionId), [id]: `v${n}` })
      }
      const updates = [...bySession].map(([sessionId, session]) => ({
        sessionId,
        patch: { creds: CREDS, keys: { session } },
      }))
      for (const result of await store.batchSet(updates)) expect(result).not.toHaveProperty('error')
      const asked = Array.from({ length: reads }, (_, n) => nameOf(n))
      let values: unknown[] = []
      const commands = await recordCommands(server.client, async () => {
        values = await Promise.all(
          asked.map(async ([sessionId, id]) => (await store.getKeys(sessionId, 'session', [id]))[id]),
        )
      })
      expect(values).toEqual(asked.map((_, n) => `v${n}`))
      expect(new Set(toNames(commands))).toEqual(new Set(['find']))
      expect(commands.length).toBeLessThanOrEqual(reads / 50) // some are begun while others wait
      await store.close()
    },
    120_000,
  )
})

describe('finds by name', () => {
  /** Answers each command when told. */
  function setUp(fail: (names: readonly string[]) => void = () => {}) {
    const commands: string[][] = []
    const answers: (() => void)[] = []
    const finds = new GatheredFinds(async names => {
      commands.push([...names])
      await new Promise<void>(resolve => answers.push(resolve))
      fail(names)
      return names.filter(name => name !== 'absent').map(_id => ({ _id }))
    })
    const answerAll = async () => {
      while (answers.length > 0) {
        for (const answer of answers.splice(0)) answer()
        await new Promise(resolve => setImmediate(resolve))
      }
    }
    const settled = () => new Promise(resolve => setImmediate(resolve))
    return { finds, commands, answerAll, settled }
  }
  const toDocuments = (names: string[]) => names.map(_id => ({ _id }))

  test('of one tick are one command, and each gets its own documents', async () => {
    const { finds, commands, answerAll, settled } = setUp()
    const found = Promise.all([finds.find(['a/', 'a/x']), finds.find(['b/', 'absent']), finds.find(['c/'])])
    await settled()
    expect(commands).toEqual([['a/', 'a/x', 'b/', 'absent', 'c/']])
    await answerAll()
    expect(await found).toEqual([['a/', 'a/x'], ['b/'], ['c/']].map(toDocuments))
  })

  test('of one session read its head once', async () => {
    const { finds, commands, answerAll, settled } = setUp()
    const found = Promise.all([finds.find(['a/', 'a/x']), finds.find(['a/', 'a/y'])])
    await settled()
    expect(commands).toEqual([['a/', 'a/x', 'a/y']])
    await answerAll()
    expect(await found).toEqual(
      [
        ['a/', 'a/x'],
        ['a/', 'a/y'],
      ].map(toDocuments),
    )
  })

  test('are at most 1,000 names a command, unless one read has more', async () => {
    const { finds, commands, answerAll, settled } = setUp()
    const many = (prefix: string, length: number) => Array.from({ length }, (_, n) => `${prefix}/${n}`)
    const reads = [many('a', 1500), many('b', 600), many('c', 400), many('d', 1)]
    const found = Promise.all(reads.map(names => finds.find(names)))
    await settled()
    expect(commands.map(names => names.length)).toEqual([1500, 1000, 1])
    await answerAll()
    expect(await found).toEqual(reads.map(toDocuments))
  })

  test('beyond eight commands wait, and share the next one', async () => {
    const { finds, commands, answerAll, settled } = setUp()
    const found = []
    for (let n = 0; n < 20; n++) {
      found.push(finds.find([`${n}/`]))
      await settled()
    }
    expect(commands).toHaveLength(8)
    await answerAll()
    expect(commands).toHaveLength(9)
    expect(await Promise.all(found)).toEqual(Array.from({ length: 20 }, (_, n) => toDocuments([`${n}/`])))
  })

  test('of one document that the driver cannot read fail alone', async () => {
    const unread = new BSON.BSONError('Invalid UTF-8 string in BSON document')
    const { finds, answerAll, settled } = setUp(names => {
      if (names.includes('bad/')) throw unread
    })
    const found = Promise.allSettled([finds.find(['a/']), finds.find(['bad/']), finds.find(['c/'])])
    await settled()
    await answerAll()
    expect(await found).toMatchObject([
      { value: [{ _id: 'a/' }] },
      { reason: unread },
      { value: [{ _id: 'c/' }] },
    ])
  })

  test('of an outage fail together, after one command', async () => {
    const outage = new Error('no server')
    const { finds, commands, answerAll, settled } = setUp(() => {
      throw outage
    })
    const found = Promise.allSettled([finds.find(['a/']), finds.find(['b/'])])
    await settled()
    await answerAll()
    expect(await found).toMatchObject([{ reason: outage }, { reason: outage }])
    expect(commands).toHaveLength(1)
  })
})
