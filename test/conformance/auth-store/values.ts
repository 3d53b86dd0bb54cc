import { describe, expect, test } from 'vitest'
import type { AuthPatch, CommonOptions, StoreErrorCode } from '../../../src/index.js'
import { HOSTILE_NAMES } from '../backend/names.js'
import { CREDS, type CreateStoreDatabase, expectRefusal, setUp } from './harness.js'

/** Values come back as they were written, for every way of storing them. */
export function describeValues(how: string, options: CommonOptions, create: CreateStoreDatabase): void {
  describe(`values, ${how}`, () => {
    test('come back as they were, bytes as bytes, in every part of a session', async () => {
      const store = await (await setUp(create)).open(options)
      const keys = {
        'pre-key': { 1: { public: Buffer.from([1, 2]), private: Buffer.alloc(32, 9) } },
        'identity-key': { 'user@lid': new Uint8Array([5, 6]) },
        'a-type-of-tomorrow': {
          x: { big: 12345678901234567890n, 2024: 1, deep: [{ bytes: Buffer.from('b') }] },
        },
      }
      const appState = { greeted: { at: new Date(5) } }
      await store.set('s', { creds: CREDS, keys, appState })
      const session = await store.get('s')
      expect(session).toEqual({
        data: { creds: CREDS, keys, appState },
        version: 1,
        updatedAt: expect.any(Date),
      })
      const { 'user@lid': identity } = await store.getKeys('s', 'identity-key', ['user@lid'])
      expect(Buffer.isBuffer(identity)).toBe(false)
      expect(identity).toEqual(new Uint8Array([5, 6]))
    })

    test('of 1 MB come back, and so do values that compress well', async () => {
      const store = await (await setUp(create)).open(options)
      const large = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 7919) % 251))
      const even = 'x'.repeat(100_000)
      await store.set('s', { creds: CREDS, keys: { 'sender-key': { large, even } } })
      const found = await store.getKeys('s', 'sender-key', ['large', 'even'])
      expect(large.equals(found.large as Buffer)).toBe(true)
      expect(found.even).toBe(even)
    })

    test('are copies: the store shares neither the object passed in nor the one handed out', async () => {
      const store = await (await setUp(create)).open(options)
      const value = { list: [1, 2], bytes: Buffer.from('abc') }
      const writing = store.set('s', { creds: CREDS, keys: { session: { a: value } } })
      value.list.push(3)
      value.bytes[0] = 0
      await writing
      const expected = { a: { list: [1, 2], bytes: Buffer.from('abc') } }
      const first = (await store.getKeys('s', 'session', ['a'])) as typeof expected
      expect(first).toEqual(expected)
      first.a.list.push(4)
      first.a.bytes[0] = 0
      expect(await store.getKeys('s', 'session', ['a'])).toEqual(expected)
    })
  })
}

export function describeInput(create: CreateStoreDatabase): void {
  describe('getKeys', () => {
    test('leaves out absent keys, and returns nothing for an empty list', async () => {
      const store = await (await setUp(create)).open()
      expect(await store.getKeys('none', 'session', ['a'])).toEqual({})
      await store.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
      expect(await store.getKeys('s', 'session', ['b', 'a', 'b'])).toEqual({ a: 1 })
      expect(await store.getKeys('s', 'session', [])).toEqual({})
    })

    test('finds keys under any well-formed id', async () => {
      const store = await (await setUp(create)).open()
      const values = Object.fromEntries(HOSTILE_NAMES.map((id, n) => [id, n]))
      await store.set('s', { creds: CREDS, keys: { session: values } })
      expect(await store.getKeys('s', 'session', HOSTILE_NAMES)).toEqual(values)
      const hidden = await store.getKeys('s', 'session', ['__proto__'])
      expect(Object.keys(hidden)).toEqual(['__proto__'])
    })
  })

  describe('set', () => {
    test('deletes keys that are null or undefined and leaves their siblings', async () => {
      const store = await (await setUp(create)).open()
      await store.set('s', { creds: CREDS, keys: { session: { a: 1, 'a:b': 2, 'a*': 3, b: 4 } } })
      await store.set('s', { keys: { session: { a: null, b: undefined } } })
      expect((await store.get('s'))?.data.keys).toEqual({ session: { 'a:b': 2, 'a*': 3 } })
    })

    test('changes nothing when it is empty', async () => {
      const store = await (await setUp(create)).open()
      await store.set('s', {})
      await store.set('s', { keys: { 'pre-key': {} } })
      expect(await store.get('s')).toBeNull()
      await store.set('s', { creds: CREDS })
      expect((await store.set('s', { keys: {} })).version).toBe(1)
    })

    const circular: Record<string, unknown> = {}
    circular.self = circular
    test.each<[string, unknown, StoreErrorCode]>([
      ['a text', 'creds', 'INVALID_VALUE'],
      ['null', null, 'INVALID_VALUE'],
      ['an unknown member', { cred: {} }, 'INVALID_VALUE'],
      ['creds that are null', { creds: null }, 'INVALID_VALUE'],
      ['creds that are bytes', { creds: Buffer.from('creds') }, 'INVALID_VALUE'],
      ['creds that would come back as bytes', { creds: { type: 'Buffer', data: 'aGk=' } }, 'INVALID_VALUE'],
      ['creds that are a date', { creds: new Date(0) }, 'INVALID_VALUE'],
      ['creds that are a number as JSON', { creds: { toJSON: () => 5 } }, 'INVALID_VALUE'],
      ['a key that is null as JSON', { keys: { session: { a: { toJSON: () => null } } } }, 'INVALID_VALUE'],
      ['keys that are a list', { keys: [] }, 'INVALID_VALUE'],
      ['a type with no object', { keys: { session: 'x' } }, 'INVALID_VALUE'],
      ['a Map', { keys: { session: { ok: 1, map: new Map() } } }, 'INVALID_VALUE'],
      ['a cycle', { keys: { session: { ok: 1, circular } } }, 'INVALID_VALUE'],
      ['a function', { keys: { session: { ok: 1, run: () => 1 } } }, 'INVALID_VALUE'],
      ['an empty id', { keys: { session: { ok: 1, '': 1 } } }, 'INVALID_KEY'],
      ['an id with NUL', { keys: { session: { ok: 1, 'a\0': 1 } } }, 'INVALID_KEY'],
      ['half a surrogate pair', { keys: { session: { ok: 1, '\ud800': 1 } } }, 'INVALID_KEY'],
      ['an id above 1 KB', { keys: { session: { ok: 1, [`x${'é'.repeat(512)}`]: 1 } } }, 'INVALID_KEY'],
      ['a type with a colon', { keys: { session: { ok: 1 }, 'a:b': { c: 1 } } }, 'INVALID_KEY'],
      ['the type of the creds', { keys: { creds: { a: 1 } } }, 'INVALID_KEY'],
      ['the type of the app state', { keys: { '@app-state': { a: 1 } } }, 'INVALID_KEY'],
    ])('refuses %s before anything is written', async (_, patch, code) => {
      const store = await (await setUp(create)).open()
      await store.set('s', { creds: CREDS, keys: { session: { before: 1 } } })
      await expectRefusal(store, 's', code, () => store.set('s', patch as AuthPatch))
    })

    test.each([-1, 1.5, Number.NaN, '1'])('refuses %s as a version or token', async value => {
      const store = await (await setUp(create)).open()
      await store.set('s', { creds: CREDS })
      const [number, code] = [value as number, 'INVALID_OPTION'] as const
      await expectRefusal(store, 's', code, () => store.set('s', { appState: { a: 1 } }, number))
      await expectRefusal(store, 's', code, () => store.set('s', { appState: { a: 1 } }, undefined, number))
      await expectRefusal(store, 's', code, () => store.delete('s', number))
    })
  })

  test.each(['', 'a\0b', '\udc00', 'x'.repeat(1025), 7, undefined])(
    'the session id %j is refused',
    async id => {
      const store = await (await setUp(create)).open()
      const sessionId = id as string
      const refused = { code: 'INVALID_SESSION_ID' }
      await expect(store.get(sessionId)).rejects.toMatchObject(refused)
      await expect(store.getKeys(sessionId, 'session', ['a'])).rejects.toMatchObject(refused)
      await expect(store.set(sessionId, { creds: CREDS })).rejects.toMatchObject(refused)
      await expect(store.delete(sessionId)).rejects.toMatchObject(refused)
      await expect(store.touch(sessionId)).rejects.toMatchObject(refused)
      await expect(store.claim(sessionId)).rejects.toMatchObject(refused)
      expect(await store.list()).toEqual({ sessionIds: [], cursor: null })
    },
  )
}
