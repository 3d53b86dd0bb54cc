import { describe, expect, test } from 'vitest'
import type { AuthStore, StoreErrorCode } from '../../../src/index.js'
import { hostileLists, hostileObjects, textsOf } from '../../support/hostile-inputs.js'
import { CREDS, type CreateStoreDatabase, setUp } from './harness.js'

// biome-ignore lint/suspicious/noExplicitAny: what a caller without types may pass
type Loose = any
type Call = (store: AuthStore, bad: Loose) => Promise<unknown>

const NO_NUMBERS: readonly unknown[] = [Number.NaN, -1, 1.5, '1', null, {}, [], true, 2 ** 53, 1e300, 5n]
const NO_OBJECTS: readonly unknown[] = [null, 5, 'text', true, []]
const NO_LISTS: readonly unknown[] = [null, undefined, 5, 'text', {}, true]
const NO_BATCHES = [...NO_LISTS, new Array(2 ** 32 - 1)]
const NO_TEXTS: readonly unknown[] = [null, 5, {}, [], true, '']

/** What no claim has handed out: a store that kept it would have no next one. */
const NO_TOKENS = [...NO_NUMBERS, 2 ** 51 - 1, 2 ** 50 + 1]

const TABLE: readonly [string, StoreErrorCode, readonly unknown[], Call][] = [
  ['set: a version', 'INVALID_OPTION', NO_NUMBERS, (store, bad) => store.set('s', { creds: CREDS }, bad)],
  [
    'set: a token',
    'INVALID_OPTION',
    NO_TOKENS,
    (store, bad) => store.set('s', { creds: CREDS }, undefined, bad),
  ],
  ['set: a patch', 'INVALID_VALUE', [...NO_OBJECTS, undefined], (store, bad) => store.set('s', bad)],
  ['set: creds', 'INVALID_VALUE', NO_OBJECTS, (store, bad) => store.set('s', { creds: bad })],
  ['set: keys', 'INVALID_VALUE', NO_OBJECTS, (store, bad) => store.set('s', { keys: bad })],
  [
    'set: keys of a type',
    'INVALID_VALUE',
    NO_OBJECTS,
    (store, bad) => store.set('s', { keys: { session: bad } }),
  ],
  ['set: an app state', 'INVALID_VALUE', NO_OBJECTS, (store, bad) => store.set('s', { appState: bad })],
  ['delete: a version', 'INVALID_OPTION', NO_NUMBERS, (store, bad) => store.delete('s', bad)],
  ['delete: a token', 'INVALID_OPTION', NO_TOKENS, (store, bad) => store.delete('s', undefined, bad)],
  [
    'renewLease: a token',
    'INVALID_OPTION',
    [...NO_NUMBERS, undefined],
    (store, bad) => store.renewLease('s', bad),
  ],
  [
    'releaseLease: a token',
    'INVALID_OPTION',
    [...NO_NUMBERS, undefined],
    (store, bad) => store.releaseLease('s', bad),
  ],
  ['getKeys: a list of ids', 'INVALID_KEY', NO_LISTS, (store, bad) => store.getKeys('s', 'session', bad)],
  ['getKeys: an id', 'INVALID_KEY', NO_TEXTS, (store, bad) => store.getKeys('s', 'session', ['a', bad])],
  [
    'getKeys: a type',
    'INVALID_KEY',
    [...NO_TEXTS, undefined],
    (store, bad) => store.getKeys('s', bad, ['a']),
  ],
  [
    'getKeys: a token',
    'INVALID_OPTION',
    NO_NUMBERS,
    (store, bad) => store.getKeys('s', 'session', ['a'], bad),
  ],
  ['listKeys: a type', 'INVALID_KEY', NO_TEXTS, (store, bad) => store.listKeys('s', bad)],
  ['listKeys: a token', 'INVALID_OPTION', NO_NUMBERS, (store, bad) => store.listKeys('s', 'session', bad)],
  [
    'touch: a time',
    'INVALID_OPTION',
    [Number.NaN, -1, '5', null, {}, [], true, 5n],
    (store, bad) => store.touch('s', bad),
  ],
  ['claim: options', 'INVALID_OPTION', NO_OBJECTS, (store, bad) => store.claim('s', bad)],
  [
    'claim: exclusive',
    'INVALID_OPTION',
    [null, 5, 'yes'],
    (store, bad) => store.claim('s', { exclusive: bad }),
  ],
  ['list: options', 'INVALID_OPTION', NO_OBJECTS, (store, bad) => store.list(bad)],
  [
    'list: a limit',
    'INVALID_OPTION',
    [...NO_NUMBERS, 0, 1001, Number.POSITIVE_INFINITY],
    (store, bad) => store.list({ limit: bad }),
  ],
  [
    'list: a cursor',
    'INVALID_OPTION',
    [...NO_TEXTS.filter(bad => bad !== null), 'x'.repeat(100_000)],
    (store, bad) => store.list({ cursor: bad }),
  ],
  [
    'list: an unknown option',
    'INVALID_OPTION',
    ['limt', 'curser', 'a b'],
    (store, bad) => store.list({ [bad]: 5 } as Loose),
  ],
  [
    'claim: an unknown option',
    'INVALID_OPTION',
    ['exclusiv', 'checkCred'],
    (store, bad) => store.claim('s', { [bad]: true } as Loose),
  ],
  ['batchGet: a list', 'INVALID_OPTION', NO_BATCHES, (store, bad) => store.batchGet(bad)],
  ['batchSet: a list', 'INVALID_OPTION', NO_BATCHES, (store, bad) => store.batchSet(bad)],
  ['batchDelete: a list', 'INVALID_OPTION', NO_BATCHES, (store, bad) => store.batchDelete(bad)],
  [
    'onRewind: a listener',
    'INVALID_OPTION',
    [null, undefined, 5, {}],
    async (store, bad) => store.onRewind(bad),
  ],
]

type HostileCall = (store: AuthStore) => Promise<unknown>

const HOSTILE: [string, string, StoreErrorCode, HostileCall][] = [
  ...hostileObjects('limit').map(([kind, bad]) =>
    as('list', kind, 'INVALID_OPTION', store => store.list(bad)),
  ),
  ...hostileObjects('exclusive').map(([kind, bad]) =>
    as('claim', kind, 'INVALID_OPTION', store => store.claim('s', bad)),
  ),
  ...hostileObjects('creds').map(([kind, bad]) =>
    as('set', kind, 'INVALID_VALUE', store => store.set('s', bad)),
  ),
  ...hostileObjects('a').map(([kind, bad]) =>
    as('set: keys', kind, 'INVALID_VALUE', store => store.set('s', { keys: { session: bad } as Loose })),
  ),
  ...hostileObjects('sessionId').map(([kind, bad]) =>
    as('batchSet: an update', kind, 'INVALID_OPTION', async store => {
      const [result] = await store.batchSet([bad as Loose])
      throw (result as Loose).error
    }),
  ),
  ...hostileLists().flatMap(([kind, bad]) => [
    as('getKeys', kind, 'INVALID_KEY', store => store.getKeys('s', 'session', bad)),
    as('batchGet', kind, 'INVALID_OPTION', store => store.batchGet(bad)),
    as('batchSet', kind, 'INVALID_OPTION', store => store.batchSet(bad)),
    as('batchDelete', kind, 'INVALID_OPTION', store => store.batchDelete(bad)),
  ]),
]

function as(
  method: string,
  kind: string,
  code: StoreErrorCode,
  call: HostileCall,
): [string, string, StoreErrorCode, HostileCall] {
  return [method, kind, code, call]
}

export function describeArguments(create: CreateStoreDatabase): void {
  describe('an invalid argument', () => {
    test.each(TABLE)('(%s) is refused with %s, and changes nothing', async (_, code, bads, call) => {
      const store = await (await setUp(create)).open()
      await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
      const { fencingToken } = await store.claim('s', { exclusive: true })
      const before = await store.get('s')
      for (const bad of bads) {
        const outcome = await call(store, bad).then(
          () => 'it was taken',
          error => error,
        )
        expect(
          outcome,
          `${typeof bad} ${Array.isArray(bad) ? bad.length : String(bad).slice(0, 20)}`,
        ).toMatchObject({ code })
      }
      expect(await store.get('s')).toEqual(before)
      await store.renewLease('s', fencingToken) // it is still the owner's
      await expect(store.claim('s')).rejects.toMatchObject({ code: 'SESSION_LOCKED' })
    })

    test.each(HOSTILE)('(%s: %s) that throws when it is read is refused with %s', async (...given) => {
      const [, , code, call] = given
      const store = await (await setUp(create)).open()
      const error = await call(store).then(
        () => 'it was taken',
        reason => reason,
      )
      expect(error).toMatchObject({ code })
      expect(textsOf(error)).not.toContain('4917')
    })

    test('in a batch fails alone', async () => {
      const store = await (await setUp(create)).open()
      const misspelt = { sessionId: 'b', patch: { creds: CREDS }, expectedVersoin: 1 }
      const bads = [
        null,
        5,
        'text',
        {},
        { sessionId: 'b' },
        { sessionId: 'b', patch: null },
        misspelt,
      ] as Loose[]
      const written = await store.batchSet([{ sessionId: 'a', patch: { creds: CREDS } }, ...bads])
      expect(written[0]).toMatchObject({ value: { version: 1 } })
      for (const result of written.slice(1)) {
        expect(result).toMatchObject({ error: { code: expect.stringMatching(/^INVALID_/) } })
      }
      const ids = ['a', null, 5, {}] as Loose[]
      expect(await store.batchGet(ids)).toMatchObject([
        { value: { version: 1 } },
        ...Array(3).fill({ error: { code: 'INVALID_SESSION_ID' } }),
      ])
      expect(await store.batchDelete(ids)).toMatchObject([
        { sessionId: 'a' },
        ...Array(3).fill({ error: { code: 'INVALID_SESSION_ID' } }),
      ])
    })

    test('a session touched for a very long time lives for ever', async () => {
      const store = await (await setUp(create)).open({ ttl: { defaultTtl: 3600 } })
      await store.set('s', { creds: CREDS })
      for (const seconds of [1e12, 1e300, Number.MAX_VALUE]) await store.touch('s', seconds)
      expect(await store.exists('s')).toBe(true)
    })
  })
}
