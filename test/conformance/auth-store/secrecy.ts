import { describe, expect, test } from 'vitest'
import { CREDS_FIELD } from '../../../src/core/backend.js'
import type { AuthStore, CommonOptions } from '../../../src/index.js'
import { CREDS, type CreateStoreDatabase, KEY, OTHER_KEY, setUp } from './harness.js'

type Cipher = 'aes-256-gcm' | 'secretbox'
const SECRET = 'a secret that no page of the database may hold'

export function describeSecrecy(create: CreateStoreDatabase): void {
  describe.each<Cipher>(['aes-256-gcm', 'secretbox'])('encryption with %s', encryptionAlgorithm => {
    const options: CommonOptions = { masterKey: KEY, security: { encryptionAlgorithm } }

    async function setUpSession() {
      const { database, open, openBackend } = await setUp(create)
      const store = await open(options)
      const creds = { ...CREDS, advSecretKey: SECRET }
      await store.set('s', { creds, keys: { session: { a: { text: SECRET }, b: { text: SECRET } } } })
      const backend = await openBackend()
      const readRaw = async (type: string, id: string) =>
        (await backend.read('s', [{ type, id }])).values[0] as Uint8Array
      const writeRaw = (sessionId: string, type: string, id: string, bytes: Uint8Array) =>
        backend.commit(sessionId, { writes: [{ type, id, bytes }], operationId: `${Math.random()}` })
      return { database, open, store, readRaw, writeRaw }
    }

    test('leaves no secret in the database, and nothing of the master key', async () => {
      const { database } = await setUpSession()
      const bytes = await database.dump()
      expect(bytes.length).toBeGreaterThan(0)
      for (const secret of [SECRET, Buffer.from(SECRET).toString('base64'), KEY]) {
        expect(bytes.includes(secret)).toBe(false)
      }
      expect(bytes.includes(Buffer.from(KEY, 'hex'))).toBe(false)
    })

    test('allows no other key: every reader gets an error, and the owner keeps the session', async () => {
      const { open, store } = await setUpSession()
      const { fencingToken } = await store.claim('s')
      for (const other of [await open({ masterKey: OTHER_KEY }), await open()]) {
        const failed = { code: 'DECRYPTION_FAILED' }
        await expect(other.get('s')).rejects.toMatchObject(failed)
        await expect(other.getKeys('s', 'session', ['a'])).rejects.toMatchObject(failed)
        await expect(other.claim('s')).rejects.toMatchObject(failed)
      }
      await store.set('s', { keys: { session: { c: 1 } } }, undefined, fencingToken)
    })

    test('binds a value to its session, type and id', async () => {
      const { store, readRaw, writeRaw } = await setUpSession()
      const stolen = await readRaw('session', 'a')
      await writeRaw('s', 'session', 'b', stolen)
      await writeRaw('s', 'pre-key', 'a', stolen)
      await writeRaw('t', 'session', 'a', stolen)
      const failed = { code: 'DECRYPTION_FAILED' }
      await expect(store.getKeys('s', 'session', ['b'])).rejects.toMatchObject(failed)
      await expect(store.getKeys('s', 'pre-key', ['a'])).rejects.toMatchObject(failed)
      await expect(store.getKeys('t', 'session', ['a'])).rejects.toMatchObject(failed)
      expect(await store.getKeys('s', 'session', ['a'])).toEqual({ a: { text: SECRET } })
    })

    test('notices a changed byte in creds: no claim is taken, and nothing is overwritten', async () => {
      const { store, readRaw, writeRaw } = await setUpSession()
      const { fencingToken } = await store.claim('s')
      const bytes = Buffer.from(await readRaw(CREDS_FIELD.type, CREDS_FIELD.id))
      const changed = Buffer.from(bytes)
      changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
      await writeRaw('s', CREDS_FIELD.type, CREDS_FIELD.id, changed)
      await expect(store.claim('s')).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' })
      await expect(store.get('s')).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' })
      expect(Buffer.from(await readRaw(CREDS_FIELD.type, CREDS_FIELD.id))).toEqual(changed)
      await writeRaw('s', CREDS_FIELD.type, CREDS_FIELD.id, bytes)
      await store.set('s', { keys: { session: { c: 1 } } }, undefined, fencingToken)
    })

    test('turned on later refuses plaintext values, unless allowPlaintext is set', async () => {
      const { open } = await setUp(create)
      const clear = await open()
      await clear.set('s', { creds: CREDS, keys: { session: { a: 1 } } })
      const strict = await open(options)
      await expect(strict.getKeys('s', 'session', ['a'])).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' })
      const lenient = await open({ ...options, security: { ...options.security, allowPlaintext: true } })
      expect(await lenient.getKeys('s', 'session', ['a'])).toEqual({ a: 1 })
      await lenient.set('s', { keys: { session: { a: 2 } } })
      expect(await strict.getKeys('s', 'session', ['a'])).toEqual({ a: 2 })
    })

    test('moves to another master key value by value', async () => {
      const { open, store } = await setUpSession()
      const both = await open({ masterKeys: [OTHER_KEY, KEY] })
      expect((await both.get('s'))?.data.keys.session).toMatchObject({ a: { text: SECRET } })
      await both.set('s', { keys: { session: { a: 'new' } } })
      const after = await open({ masterKey: OTHER_KEY })
      expect(await after.getKeys('s', 'session', ['a'])).toEqual({ a: 'new' })
      await expect(after.getKeys('s', 'session', ['b'])).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' })
      await expect(store.getKeys('s', 'session', ['a'])).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' })
    })
  })

  test('bytes that hold no value are an error, not an absence', async () => {
    const { open, openBackend } = await setUp(create)
    const [store, backend] = [await open(), await openBackend()]
    const write = (bytes: string) =>
      backend.commit('s', {
        writes: [{ type: 'session', id: 'a', bytes: Buffer.from(bytes, 'hex') }],
        operationId: bytes,
      })
    const read = (from: AuthStore) => from.getKeys('s', 'session', ['a'])
    for (const bytes of ['', 'b1', '00', 'b100', 'b1007b', 'b104ffff', 'b108ffff']) {
      await write(bytes)
      await expect(read(store)).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
    }
    for (const bytes of ['b20031', 'b14031', 'b10231', 'b10c31']) {
      await write(bytes)
      await expect(read(store)).rejects.toMatchObject({ code: 'UNSUPPORTED_FORMAT' })
    }
  })

  // MessagePack has more encodings of nothing: nil, and the one that msgpackr reads as undefined.
  test.each(['b1006e756c6c', 'b101c0', 'b101d40000'])(
    'a stored value that decodes to nothing (%s) is an error, not an absence',
    async bytes => {
      const { open, openBackend } = await setUp(create)
      const [store, backend] = [await open(), await openBackend()]
      await store.set('s', { creds: CREDS })
      for (const field of [{ type: 'session', id: 'a' }, { type: '@app-state', id: 'a' }, CREDS_FIELD]) {
        const writes = [{ ...field, bytes: Buffer.from(bytes, 'hex') }]
        await backend.commit('s', { writes, operationId: `${Math.random()}` })
        await expect(store.get('s')).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
      }
      await expect(store.getKeys('s', 'session', ['a'])).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
      await expect(store.claim('s')).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
    },
  )

  test.each(['5', '"text"', '[]', '{"type":"Buffer","data":"aGk="}', '{"type":"Date","data":5}'])(
    'creds stored as %s are an error, and the owner keeps the session',
    async json => {
      const { open, openBackend } = await setUp(create)
      const [store, backend] = [await open(), await openBackend()]
      await store.set('s', { creds: CREDS })
      const { fencingToken } = await store.claim('s')
      const bytes = Buffer.from(`\xb1\x00${json}`, 'latin1')
      await backend.commit('s', { writes: [{ ...CREDS_FIELD, bytes }], operationId: 'damage' })
      await expect(store.get('s')).rejects.toMatchObject({ code: 'CORRUPT_VALUE', sessionId: 's' })
      await expect(store.claim('s')).rejects.toMatchObject({ code: 'CORRUPT_VALUE', sessionId: 's' })
      await store.set('s', { creds: CREDS }, undefined, fencingToken)
    },
  )
}
