import { describe, expect, test } from 'vitest'
import {
  type CreateDatabase,
  deletion,
  expectRefusal,
  field,
  openBackends,
  put,
  snapshot,
  texts,
} from './harness.js'

export function describeCommits(create: CreateDatabase): void {
  describe('commit', () => {
    test('writes all fields, which a read returns in the order of its ids', async () => {
      const database = await create()
      const backend = await (await openBackends(async () => database))()
      const written = await put(backend, 's', { a: '1', b: '2', c: '3' })
      const { version, durability, updatedAtMs, incarnation, operation } = written
      expect({ version, durability }).toEqual({ version: 1, durability: database.durability ?? 'durable' })
      expect(await texts(backend, 's', ['c', 'none', 'a'])).toEqual(['3', undefined, '1'])
      const { head } = await backend.read('s', [])
      expect(head).toMatchObject({ exists: true, version: 1, fence: 0, updatedAtMs, incarnation, operation })
    })

    test('is seen by every backend on the same database once it is acknowledged', async () => {
      const open = await openBackends(create)
      const [one, other] = [await open(), await open()]
      await put(one, 's', { a: '1' })
      expect(await texts(other, 's', ['a'])).toEqual(['1'])
    })

    test('replaces and deletes the fields that it names, and no others', async () => {
      const backend = await (await openBackends(create))()
      await put(backend, 's', { a: '1', ab: '2', 'a*': '3', 'a:b': '4' })
      await put(backend, 's', { a: null, 'a:b': 'new' })
      expect(await texts(backend, 's', ['a', 'ab', 'a*', 'a:b'])).toEqual([undefined, '2', '3', 'new'])
    })

    test('keeps types apart', async () => {
      const backend = await (await openBackends(create))()
      const writes = ['session', 'pre-key', 'creds'].map(type => ({
        type,
        id: '1',
        bytes: Buffer.from(type),
      }))
      await backend.commit('s', { writes, operationId: 'one' })
      const { values } = await backend.read('s', [
        field('1', 'pre-key'),
        field('1', 'session'),
        field('1', 'none'),
      ])
      expect(values.map(bytes => bytes && Buffer.from(bytes).toString())).toEqual([
        'pre-key',
        'session',
        undefined,
      ])
    })

    test.each([undefined, { from: 'lost', at: 1 }])(
      'begins a session with fields of earlier versions, as a heal does, and all of them can be read (fork: %o)',
      async fork => {
        const backend = await (await openBackends(create))()
        const writes = [2, 4].map(version => ({
          ...field(`k${version}`),
          bytes: Buffer.from(`${version}`),
          version,
        }))
        await backend.commit('s', { writes, above: 4, fork, operationId: 'heal' })
        await put(backend, 's', { later: '6' })
        expect(await texts(backend, 's', ['k2', 'k4', 'later'])).toEqual(['2', '4', '6'])
        expect((await backend.readAll('s')).fields).toHaveLength(3)
      },
    )

    test('takes a version of its own, even among many concurrent ones', async () => {
      const open = await openBackends(create)
      const backends = [await open(), await open()]
      const commits = Array.from({ length: 200 }, (_, n) =>
        put(backends[n % 2] as never, 's', { [`k${n}`]: `${n}` }),
      )
      const versions = (await Promise.all(commits)).map(({ version }) => version)
      expect(versions.sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, n) => n + 1))
      expect((await backends[0]?.readAll('s'))?.fields).toHaveLength(200)
    })

    test('is never seen in part: every read finds one number in all fields', async () => {
      const open = await openBackends(create)
      const [writer, reader] = [await open(), await open()]
      const all = (n: number) => Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`k${i}`, `${n}`]))
      await put(writer, 's', all(0))
      const commits = Promise.all(Array.from({ length: 50 }, (_, n) => put(writer, 's', all(n + 1))))
      for (let reads = 0; reads < 50; reads++) {
        const { fields } = await reader.readAll('s')
        expect(new Set(fields.map(({ bytes }) => Buffer.from(bytes).toString())).size).toBe(1)
        await new Promise(setImmediate)
      }
      await commits
    })

    test('is applied once when it is sent twice with one operation id', async () => {
      const backend = await (await openBackends(create))()
      const first = await put(backend, 's', { a: '1' }, { operationId: 'same' })
      const second = await put(backend, 's', { a: '1' }, { operationId: 'same' })
      expect(second.version).toBe(first.version)
      expect((await backend.read('s', [])).head.version).toBe(1)
    })

    test('is applied once when its answer was lost and another commit came between', async () => {
      const backend = await (await openBackends(create))()
      const first = await put(backend, 's', { a: 'old' }, { operationId: 'first' })
      await put(backend, 's', { a: 'new' })
      const again = await put(backend, 's', { a: 'old' }, { operationId: 'first' })
      expect(again).toEqual(first)
      expect(await texts(backend, 's', ['a'])).toEqual(['new'])
    })

    test('without writes checks its guard and changes nothing', async () => {
      const backend = await (await openBackends(create))()
      expect((await put(backend, 'none', {})).version).toBe(0)
      expect((await backend.read('none', [])).head.exists).toBe(false)
      await put(backend, 's', { a: '1' })
      expect((await put(backend, 's', {}, { expectedVersion: 1 })).version).toBe(1)
      await expectRefusal(backend, 's', 'VERSION_MISMATCH', () =>
        put(backend, 's', {}, { expectedVersion: 7 }),
      )
    })

    test('does not create a session when it only deletes', async () => {
      const backend = await (await openBackends(create))()
      await put(backend, 's', { a: null })
      expect((await backend.read('s', [])).head.exists).toBe(false)
    })

    test('takes a version higher than "above", with and without writes', async () => {
      const backend = await (await openBackends(create))()
      await put(backend, 's', { a: '1' })
      expect((await put(backend, 's', { a: '2' }, { above: 40 })).version).toBe(41)
      expect((await put(backend, 's', {}, { above: 50 })).version).toBe(51)
      expect((await put(backend, 's', { a: '3' }, { above: 7 })).version).toBe(52)
    })

    test.each([
      ['empty', 0],
      ['of 1 MB', 1024 * 1024],
    ])('keeps a value that is %s', async (_, length) => {
      const backend = await (await openBackends(create))()
      const bytes = Buffer.alloc(length, 0xa5)
      await backend.commit('s', { writes: [{ ...field('a'), bytes }], operationId: 'one' })
      const [value] = (await backend.read('s', [field('a')])).values
      expect(value && Buffer.from(value).equals(bytes)).toBe(true)
    })

    test('takes 812 fields at once, up to 10,000 in a session', async () => {
      const backend = await (await openBackends(create))()
      for (let from = 0; from < 10_000; from += 812) {
        const ids = Array.from({ length: Math.min(812, 10_000 - from) }, (_, n) => [
          `${from + n}`,
          `v${from + n}`,
        ])
        await put(backend, 's', Object.fromEntries(ids))
      }
      expect(await texts(backend, 's', ['0', '9999', '10000'])).toEqual(['v0', 'v9999', undefined])
      expect((await backend.readAll('s')).fields).toHaveLength(10_000)
      expect(await backend.listFields('s', undefined)).toHaveLength(10_000)
    })
  })

  describe('expectedVersion', () => {
    test('lets a commit through at that version, where 0 means "absent"', async () => {
      const backend = await (await openBackends(create))()
      expect((await put(backend, 's', { a: '1' }, { expectedVersion: 0 })).version).toBe(1)
      expect((await put(backend, 's', { a: '2' }, { expectedVersion: 1 })).version).toBe(2)
    })

    test.each([0, 1, 3, 999])(
      'refuses a commit at version 2 that expects %i, and writes nothing',
      async expected => {
        const backend = await (await openBackends(create))()
        await put(backend, 's', { a: '1' })
        await put(backend, 's', { a: '2' })
        const stale = () => put(backend, 's', { a: 'lost', b: 'lost' }, { expectedVersion: expected })
        await expectRefusal(backend, 's', 'VERSION_MISMATCH', stale)
        await expect(stale()).rejects.toMatchObject({ expected, actual: 2 })
        await expectRefusal(backend, 's', 'VERSION_MISMATCH', () =>
          backend.delete('s', deletion({ expectedVersion: expected })),
        )
      },
    )

    test('lets exactly one of many commits at one version through', async () => {
      const open = await openBackends(create)
      const backends = [await open(), await open()]
      await put(backends[0] as never, 's', { a: '0' })
      const commits = Array.from({ length: 20 }, (_, n) =>
        put(backends[n % 2] as never, 's', { a: `${n + 1}` }, { expectedVersion: 1 }),
      )
      const outcomes = await Promise.allSettled(commits)
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    })
  })

  describe('seenVersion', () => {
    test('refuses a commit to a store that is behind it, and writes nothing', async () => {
      const backend = await (await openBackends(create))()
      await put(backend, 's', { a: '1' })
      expect((await put(backend, 's', { a: '2' }, { seenVersion: 1 })).version).toBe(2)
      const ahead = () => put(backend, 's', { a: 'lost' }, { seenVersion: 3 })
      await expectRefusal(backend, 's', 'REWOUND', ahead)
      await expect(ahead()).rejects.toMatchObject({ seen: 3, found: 2 })
      await expectRefusal(backend, 's', 'REWOUND', () => backend.delete('s', deletion({ seenVersion: 3 })))
    })

    test('is checked after the fence and before the expected version', async () => {
      const backend = await (await openBackends(create))()
      await put(backend, 's', { a: '1' })
      const { fencingToken } = await backend.claim('s')
      const { fencingToken: present } = await backend.claim('s')
      const all = { fencingToken, seenVersion: 9, expectedVersion: 9 }
      await expectRefusal(backend, 's', 'FENCED', () => put(backend, 's', { a: 'x' }, all))
      await expectRefusal(backend, 's', 'REWOUND', () =>
        put(backend, 's', { a: 'x' }, { ...all, fencingToken: present }),
      )
    })
  })

  test('one refused commit among several concurrent ones leaves the others alone', async () => {
    const backend = await (await openBackends(create))()
    await put(backend, 's', { a: '1' })
    const outcomes = await Promise.allSettled([
      put(backend, 's', { b: '2' }),
      put(backend, 's', { lost: '3' }, { expectedVersion: 99 }),
      put(backend, 't', { c: '4' }),
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(await texts(backend, 's', ['a', 'b', 'lost'])).toEqual(['1', '2', undefined])
    expect(await texts(backend, 't', ['c'])).toEqual(['4'])
    expect(await snapshot(backend, 's')).toMatchObject({ head: { version: 2 } })
  })
}
