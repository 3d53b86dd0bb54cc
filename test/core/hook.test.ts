import { describe, expect, it, onTestFinished } from 'vitest'
import { createCodec } from '../../src/core/codec/codec.js'
import type { AuthStateOptions } from '../../src/core/hook/auth-state.js'
import { openHook, type StoreSource } from '../../src/core/hook/hook.js'
import { nullLogger } from '../../src/core/logger.js'
import { CodecStore } from '../../src/core/store/codec-store.js'
import { toCodecOptions } from '../../src/core/store/store-settings.js'
import { createSqliteStore, useSqliteAuthState } from '../../src/sqlite/index.js'
import { catchError } from '../support/catch-error.js'
import { FaultyBackend } from '../support/faulty-backend.js'
import { createSqliteFile, openSqliteBackend } from '../support/sqlite-database.js'

const RETRY = { timeoutMs: 1000, maxRetries: 0, baseDelayMs: 1, multiplier: 1 }
type Options = Partial<AuthStateOptions> & StoreSource<CodecStore> & { sqlite?: object }

/** A hook, and the stores that it has opened. */
function makeHook() {
  const opened: { store: CodecStore; backend: FaultyBackend }[] = []
  async function createStore() {
    const backend = new FaultyBackend(await openSqliteBackend(':memory:'))
    const codec = await createCodec(toCodecOptions({}))
    const store = new CodecStore({
      backend,
      codec,
      retry: RETRY,
      ttlMs: null,
      leaseMs: 5000,
      logger: nullLogger,
    })
    onTestFinished(() => store.close())
    opened.push({ store, backend })
    return store
  }
  const open = ({ sqlite, ...rest }: Options) =>
    openHook({ ...rest, ...(sqlite && { sqlite }) } as AuthStateOptions & StoreSource<CodecStore>, {
      name: 'sqlite',
      createStore,
    })
  return { open, createStore, opened }
}

describe('a hook', () => {
  it.each<[object, string]>([
    [{ onRewnd: () => {} }, '"onRewnd" is not an option; did you mean "onRewind"?'],
    [{ sqllite: {} }, '"sqllite" is not an option; did you mean "sqlite"?'],
    [{ masterKey: 'a1'.repeat(32) }, '"masterKey" is not an option; put it into "sqlite": { … }.'],
    [{ redis: {} }, '"redis" is not an option; this hook takes "sqlite".'],
    [
      { zzzzzzzzzzzz: 1 },
      '"zzzzzzzzzzzz" is not an option; there are sessionId, store, sqlite, ownership, owner, resetIdentity, ' +
        'ignoreForeignData, repairSenderKeys, signal, onOwnershipLost, onRewind.',
    ],
    [{ resetIdentity: 'yes' }, '"resetIdentity" must be true or false, got "yes"'],
    [{ owner: 5 }, '"owner" must be a text of 1 to 128 characters without control characters, got 5'],
    [{ repairSenderKeys: 1 }, '"repairSenderKeys" must be true or false, got 1'],
    [{ onOwnershipLost: 'end' }, '"onOwnershipLost" must be a function, got "end"'],
    [{ signal: 'stop' }, '"signal" must be an AbortSignal, got "stop"'],
    [{ onRewind: {} }, '"onRewind" must be a function, got Object'],
    [{ store: 'a.db' }, '"store" must be a store, as a "create…Store" of this library opens it, got "a.db"'],
    [
      { store: Promise.resolve({}) },
      '"store" must be a store: await what "create…Store" returns, got Promise',
    ],
    [{ store: {} }, '"store" must be a store, as a "create…Store" of this library opens it, got Object'],
  ])('refuses %j before it opens anything', async (faulty, message) => {
    const { open, opened } = makeHook()
    const options = { sessionId: 'bot', sqlite: {}, ...faulty }
    const error = await catchError('INVALID_OPTION', () => open(options as Options))
    expect(error.message).toBe(message)
    expect(opened).toEqual([])
  })

  it('says where an open store goes that is given as options', async () => {
    const { open, createStore } = makeHook()
    const store = await createStore()
    const options = { sessionId: 'bot', sqlite: store } as unknown as Options
    const error = await catchError('INVALID_OPTION', () => open(options))
    expect(error.message).toBe(
      '"sqlite" must be the options of a store; an open store is given as "store", got CodecStore',
    )
  })

  it.each([undefined, null, 'a.db'])('refuses options that are %j with a readable error', async options => {
    const error = await catchError('INVALID_OPTION', () => useSqliteAuthState(options as never))
    expect(error.message).not.toContain('""')
  })

  it.each([undefined, '', 5, 'a\0b'])(
    'refuses the session id %j before it opens anything',
    async sessionId => {
      const { open, opened } = makeHook()
      await catchError('INVALID_SESSION_ID', () => open({ sessionId: sessionId as string, sqlite: {} }))
      expect(opened).toEqual([])
    },
  )

  it('takes either the options of a store or a store', async () => {
    const { open, createStore, opened } = makeHook()
    const both = 'Give "sqlite" or "store", not both.'
    const none = 'Give the options of the store as "sqlite": { … }, or an open store as "store".'
    expect((await catchError('INVALID_OPTION', () => open({ sessionId: 'bot' }))).message).toBe(none)
    const store = await createStore()
    const opening = () => open({ sessionId: 'bot', sqlite: {}, store })
    expect((await catchError('INVALID_OPTION', opening)).message).toBe(both)
    expect(opened).toHaveLength(1)
    expect(await store.exists('bot')).toBe(false)
  })

  it('closes its own store once', async () => {
    const { open, opened } = makeHook()
    const { store, close } = await open({ sessionId: 'bot', sqlite: {} })
    expect(await store.isHealthy()).toBe(true)
    await close()
    await close()
    expect(await store.isHealthy()).toBe(false)
    expect(opened[0]?.backend.count('close')).toBe(1)
  })

  it('closes its own store when the session cannot be opened', async () => {
    const { opened, createStore } = makeHook()
    const failing = async () => {
      const store = await createStore()
      opened[0]?.backend.fail('claim')
      return store
    }
    const source = { name: 'sqlite', storeOptions: {}, createStore: failing }
    const options = { sessionId: 'bot', sqlite: {} }
    await catchError('STORE_UNAVAILABLE', () => openHook(options, source))
    expect(opened[0]?.backend.count('close')).toBe(1)
  })

  it('leaves a given store open, whether the hook closes or fails', async () => {
    const { open, opened, createStore } = makeHook()
    const store = await createStore()
    const hooks = await Promise.all(['a', 'b', 'c'].map(sessionId => open({ sessionId, store })))
    for (const { close } of hooks) await close()
    opened[0]?.backend.fail('claim')
    await catchError('STORE_UNAVAILABLE', () => open({ sessionId: 'd', store }))
    expect(opened[0]?.backend.count('close')).toBe(0)
    expect((await store.list()).sessionIds).toEqual(['a', 'b', 'c'])
  })

  it('opens nothing for a signal that is aborted already', async () => {
    const { open, opened } = makeHook()
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(open({ sessionId: 'bot', sqlite: {}, signal })).rejects.toThrow('enough')
    expect(opened).toEqual([])
  })

  it('ends at once by its signal, and closes what is opened too late', async () => {
    const { open, opened, createStore } = makeHook()
    const store = await createStore()
    const { backend } = opened[0] as { backend: FaultyBackend }
    const gate = backend.hold('claim')
    const abort = new AbortController()
    const opening = open({ sessionId: 'bot', store, ownership: 'exclusive', signal: abort.signal })
    await gate.reached
    abort.abort(new Error('enough'))
    await expect(opening).rejects.toThrow('enough')
    gate.open()
    await expect.poll(() => backend.count('lease')).toBe(1) // the lease is given back
    const { state } = await open({ sessionId: 'bot', store, ownership: 'exclusive' })
    await state.keys.set({ session: { a: new Uint8Array([1]) } }) // a lease that was left would make it wait
  })

  it('does nothing by its signal once it is open', async () => {
    const { open } = makeHook()
    const abort = new AbortController()
    const { saveCreds } = await open({ sessionId: 'bot', sqlite: {}, signal: abort.signal })
    abort.abort()
    await saveCreds()
  })

  it('knows whether the live creds are paired', async () => {
    const { open } = makeHook()
    const auth = await open({ sessionId: 'bot', sqlite: {} })
    expect(auth.isPaired).toBe(false)
    Object.assign(auth.state.creds, { me: { id: '1@s.whatsapp.net' } })
    expect(auth.isPaired).toBe(true)
  })

  it('closes as a resource does', async () => {
    const { open, opened } = makeHook()
    const auth = await open({ sessionId: 'bot', sqlite: {} })
    await auth[Symbol.asyncDispose]()
    await expect(auth.saveCreds()).rejects.toMatchObject({ code: 'CLOSED' })
    expect(opened[0]?.backend.count('close')).toBe(1)
  })

  it('removes its session after it was closed, by a store that it opens for a moment', async () => {
    const file = await createSqliteFile()
    onTestFinished(() => file.remove())
    const options = { sessionId: 'bot', sqlite: { path: file.path, security: { enableEncryption: false } } }
    const closed = await useSqliteAuthState(options)
    await closed.close()
    await closed.remove()
    await closed.remove()
    const store = await createSqliteStore(options.sqlite)
    onTestFinished(() => store.close())
    expect(await store.exists('bot')).toBe(false)
  })
})
