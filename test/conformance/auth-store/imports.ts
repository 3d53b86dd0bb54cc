import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type AuthStore, importSession, readSession, type SessionRecord } from '../../../src/index.js'
import { dieAtEach } from './die-at-each.js'
import { CREDS, type CreateStoreDatabase, expectRefusal, KEY, OTHER_KEY, setUp } from './harness.js'
import { dataOf, PAIRED, SESSION } from './trash-harness.js'

const creds: SessionRecord = { type: 'creds', id: '', value: PAIRED }
/** More than two chunks. */
const KEYS = Array.from({ length: 1200 }, (_, n) => ({
  type: 'session',
  id: `k${n}`,
  value: Buffer.from(`${n}`),
}))
const toEntry = ({ id, value }: (typeof KEYS)[number]) => [id, value] as const
const FEW_KEYS = KEYS.slice(0, 3)
const WHOLE = {
  creds: PAIRED,
  keys: { session: Object.fromEntries(KEYS.map(toEntry)) },
}

/** Sessions that come from elsewhere. */
export function describeImports(create: CreateStoreDatabase): void {
  describe('an imported session', () => {
    test.each([{}, { masterKey: KEY }])('is whole, whatever the order of its values: %j', async options => {
      const { open } = await setUp(create)
      const store = await open(options)
      const stored: number[] = []
      const preKey = { public: Buffer.from('p'), private: Buffer.from('q') }
      const source = [
        { type: 'pre-key', id: '1', value: preKey },
        creds,
        ...KEYS,
        { type: '@app-state', id: 'greeted', value: true },
        { type: 'lid-mapping', id: 'gone', value: null },
        { skipped: 'notes.txt', reason: 'no key' },
        { type: 'session', id: 'k1', value: 'again' },
      ]
      const report = await importSession(store, 's', source, { onProgress: count => stored.push(count) })
      expect(report).toMatchObject({
        sessionId: 's',
        isPaired: true,
        types: { creds: { count: 1 }, session: { count: 1200 }, 'pre-key': { count: 1 } },
        skipped: [
          { skipped: 'notes.txt', reason: 'no key' },
          { skipped: 'session-k1', reason: 'it came twice; the first one counts' },
        ],
      })
      expect(stored).toEqual([500, 1000, 1202])
      const reader = await open(options)
      expect(await dataOf(reader)).toEqual({
        creds: PAIRED,
        keys: { ...WHOLE.keys, 'pre-key': { 1: preKey } },
        appState: { greeted: true },
      })
      expect(await reader.describe('s')).toMatchObject({ isPaired: true, version: report.version })
      expect((await reader.claim('s', { exclusive: true })).creds).toEqual(PAIRED)
    })

    test('may come from another store, whatever its keys and its encryption', async () => {
      const { open } = await setUp(create)
      const [from, to] = [await open({ masterKey: KEY }), await open({ masterKey: OTHER_KEY })]
      await from.set('s', SESSION)
      await importSession(to, 'copy', readSession(from, 's'))
      expect(await dataOf(to, 'copy')).toEqual(await dataOf(from))
      await expect(importSession(to, 'none', readSession(from, 'none'))).rejects.toMatchObject({
        code: 'INVALID_OPTION',
      })
      expect(await to.get('none')).toBeNull()
    })

    test('cannot be opened before its end, by anybody', async () => {
      const { open } = await setUp(create)
      const [store, other] = [await open(), await open()]
      const seen: unknown[] = []
      async function* source() {
        yield* KEYS
        for (const call of [() => other.claim('s'), () => other.getCreds('s'), () => other.get('s')]) {
          seen.push(await call().catch(error => error.code))
        }
        yield creds
      }
      await importSession(store, 's', source())
      expect(seen).toEqual(Array(3).fill('SESSION_INCOMPLETE'))
      expect(await dataOf(other)).toEqual(WHOLE)
    })

    test.each([
      ['the source throws', [...KEYS, 'throw'], 'the source is torn'],
      ['the source has no creds', KEYS, 'no creds'],
      ['the creds are not those of Baileys', [...KEYS, { ...creds, value: { me: {} } }], 'noiseKey'],
      ['a value cannot be stored', [creds, ...KEYS, { type: 'session', id: 'map', value: new Map() }], 'Map'],
      ['a key has no name', [creds, ...KEYS, { type: 'session', id: '', value: 1 }], '1 to 1,024'],
    ])('leaves nothing if %s', async (_, records, message) => {
      const { open } = await setUp(create)
      const store = await open()
      async function* source() {
        for (const record of records) {
          if (typeof record === 'string') throw new Error('the source is torn')
          yield record
        }
      }
      await expect(importSession(store, 's', source())).rejects.toThrow(message)
      expect([await store.get('s'), await store.list()]).toEqual([null, { sessionIds: [], cursor: null }])
      await importSession(store, 's', [creds])
    })

    test('replaces another one only if that is asked for, and restores it if the import fails', async () => {
      const { open } = await setUp(create)
      const store = await open()
      await store.set('s', SESSION)
      const before = await dataOf(store)
      await expectRefusal(store, 's', 'VERSION_MISMATCH', () => importSession(store, 's', [creds]))
      await expect(importSession(store, 's', [creds])).rejects.toThrow('replace: true')
      await expect(importSession(store, 's', KEYS, { replace: true })).rejects.toThrow('no creds')
      expect(await dataOf(store)).toEqual(before)
      await importSession(store, 's', [creds, ...KEYS], { replace: true })
      expect(await dataOf(store)).toEqual(WHOLE)
    })

    test.each([
      [
        'a write does not come back as it was given',
        (store: AuthStore) => change(store, 'getKeys', async () => ({})),
        () => [creds, ...FEW_KEYS],
      ],
      [
        'its creds do not come back as they were given',
        (store: AuthStore) => change(store, 'getCreds', async () => null),
        () => [creds],
      ],
      ['a name is no text', same, () => [creds, { type: 'pre-key', id: 7, value: 1 } as never]],
      ['it has no value', same, () => [creds, { type: 'pre-key', id: '7', data: 1 } as never]],
      ['the source throws', same, torn],
    ])(
      'that fails leaves what was deleted before it, and what it was to replace: %s',
      async (_, broken, toSource) => {
        const { open } = await setUp(create)
        const store = await open()
        await store.set('deleted', SESSION)
        await store.delete('deleted')
        await expect(importSession(broken(store), 'deleted', toSource())).rejects.toThrow()
        await store.restore('deleted')
        expect(await dataOf(store, 'deleted')).toEqual(SESSION)

        const unpaired = { creds: CREDS, keys: {}, appState: { precious: 1 } }
        await store.set('unpaired', SESSION)
        await store.delete('unpaired') // its copy is worth more than one of the next session
        await store.set('unpaired', unpaired)
        await expect(
          importSession(broken(store), 'unpaired', toSource(), { replace: true }),
        ).rejects.toThrow()
        expect(await dataOf(store, 'unpaired')).toEqual(unpaired)

        const forgetful = await open({ trash: { keepSeconds: 0 } })
        await expect(
          importSession(broken(forgetful), 'deleted', toSource(), { replace: true }),
        ).rejects.toThrow()
        expect(await dataOf(store, 'deleted')).toEqual(SESSION)
      },
    )

    test.each([
      ['as Node writes them', (bytes: Buffer) => JSON.parse(JSON.stringify(bytes))],
      ['as Baileys writes them', (bytes: Buffer) => ({ type: 'Buffer', data: bytes.toString('base64') })],
    ])('may have bytes in the form of JSON, %s', async (_, toJson) => {
      const { open } = await setUp(create)
      const store = await open()
      const inJson = JSON.parse(JSON.stringify(PAIRED))
      await importSession(store, 's', [
        { ...creds, value: inJson },
        { type: 'session', id: 'a', value: toJson(Buffer.from('a')) },
      ])
      expect(await dataOf(store)).toEqual({ creds: PAIRED, keys: { session: { a: Buffer.from('a') } } })
    })

    test('leaves the one that it was to replace if it cannot open it any more', async () => {
      const { open } = await setUp(create)
      const store = await open()
      await store.set('s', SESSION)
      const before = await dataOf(store)
      const claim = () => Promise.reject(new Error('out of reach'))
      const cut = change(store, 'claim', claim)
      await expect(importSession(cut, 's', [creds], { replace: true })).rejects.toThrow('out of reach')
      expect(await dataOf(store)).toEqual(before)
    })

    test('does not replace one whose owner has the lease', async () => {
      const { open } = await setUp(create)
      const [store, owner] = [await open(), await open()]
      await owner.set('s', SESSION)
      await owner.claim('s', { exclusive: true, owner: 'worker-7' })
      for (const replace of [false, true]) {
        await expectRefusal(store, 's', 'SESSION_LOCKED', () =>
          importSession(store, 's', [creds], { replace }),
        )
      }
    })

    test('is refused to its former owners', async () => {
      const { open } = await setUp(create)
      const store = await open()
      await store.set('s', { creds: CREDS })
      const { fencingToken } = await store.claim('s')
      await importSession(await open(), 's', [creds], { replace: true })
      await expectRefusal(store, 's', 'FENCED', () =>
        store.set('s', { creds: CREDS }, undefined, fencingToken),
      )
    })
  })

  test.each([true, false])(
    'an import whose process dies, its last command carried out: %s, leaves no session that can be opened, and begins anew',
    async isCarriedOut => {
      const source = [...FEW_KEYS, creds]
      const whole = { creds: PAIRED, keys: { session: Object.fromEntries(FEW_KEYS.map(toEntry)) } }
      await dieAtEach(create, isCarriedOut, store => importSession(store, 's', source, { chunkSize: 2 }), {
        settings: { leaseMs: 1 },
        prepare: async () => {},
        check: async store => {
          await sleep(5) // the end of the dead process's lease
          expect([null, 'SESSION_INCOMPLETE', whole]).toContainEqual(await dataOrCode(store))
          await importSession(store, 's', source, { replace: true })
          expect(await dataOf(store)).toEqual(whole)
        },
      })
    },
    300_000,
  )
}

function dataOrCode(store: AuthStore): Promise<unknown> {
  return dataOf(store).catch(error => error.code)
}

const same = (store: AuthStore) => store

function* torn(): Generator<SessionRecord> {
  yield creds
  throw new Error('the source is torn')
}

function change(store: AuthStore, method: keyof AuthStore, answer: () => Promise<unknown>): AuthStore {
  return new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name)
      return name === method ? answer : typeof member === 'function' ? member.bind(target) : member
    },
  })
}
