import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { AuthPatch } from '../../src/core/auth-store.js'
import { ClosedError, FencedError, StoreError } from '../../src/core/errors.js'
import type { CommonOptions } from '../../src/core/input/options.js'
import { maskSessionId } from '../../src/core/masking.js'
import { checkKeyId, checkKeyType, checkSessionId } from '../../src/core/names.js'
import { encodePatch } from '../../src/core/store/patch.js'
import { toCodecOptions } from '../../src/core/store/store-settings.js'
import { parseSqliteOptions } from '../../src/sqlite/sqlite-options.js'
import { MASTER_KEY, makeCodec, OTHER_KEY } from '../support/test-codec.js'

const PHONE = '15550001234'
const NAME = { sessionId: `tenant-${PHONE}`, type: 'session', id: `${PHONE}.0` }
const SECRET = 'the value of a key'
/** Texts that may appear nowhere: phone number (session and jid), value, its base64, master keys. */
const SECRETS = [PHONE, SECRET, Buffer.from(SECRET).toString('base64'), MASTER_KEY, OTHER_KEY]

/** All ways in which an error gets into a log. */
function show(error: unknown): string {
  const { stack, message, cause } = error as Error
  const enumerable = JSON.stringify({ ...(error as object) })
  const shown = [
    inspect(error, { depth: 10 }),
    JSON.stringify(error),
    enumerable,
    String(error),
    stack,
    message,
  ]
  return [...shown, cause === undefined ? '' : inspect(cause, { depth: 10 })].join('\n')
}

async function provoke(action: () => unknown): Promise<StoreError> {
  try {
    await action()
  } catch (error) {
    expect(error).toBeInstanceOf(StoreError)
    return error as StoreError
  }
  throw new Error('nothing was thrown')
}

const sealed = async (options: CommonOptions = { masterKey: MASTER_KEY }) =>
  Buffer.from((await makeCodec(options)).encode(NAME, { SECRET, bytes: Buffer.from(SECRET) }))

const decode = async (options: CommonOptions, bytes: Uint8Array, name = NAME) =>
  (await makeCodec(options)).decode(name, bytes)

const patch = async (value: unknown) => encodePatch(await makeCodec({}), NAME.sessionId, value as AuthPatch)

const provocations: [string, () => unknown][] = [
  ['a wrong master key', async () => decode({ masterKey: OTHER_KEY }, await sealed())],
  ['no master key', async () => decode({}, await sealed())],
  ['a changed value', async () => decode({ masterKey: MASTER_KEY }, (await sealed()).fill(0, 40))],
  [
    'another id',
    async () => decode({ masterKey: MASTER_KEY }, await sealed(), { ...NAME, id: `${PHONE}.1` }),
  ],
  ['plaintext under encryption', async () => decode({ masterKey: MASTER_KEY }, await sealed({}))],
  ['JSON that is cut off', async () => decode({}, (await sealed({})).subarray(0, -1))],
  ['JSON that quotes its text', async () => decode({}, Buffer.from(`\xb1\x00${SECRET}`, 'latin1'))],
  ['what does not inflate', async () => decode({}, Buffer.from(`\xb1\x08${SECRET}`, 'latin1'))],
  ['a later format', async () => decode({}, (await sealed({})).fill(0xb2, 0, 1))],
  [
    'a value that cannot be stored',
    () => patch({ keys: { session: { [NAME.id]: new Map([[SECRET, 1]]) } } }),
  ],
  ['an id that cannot be stored', () => patch({ keys: { session: { [`${NAME.id}\0`]: SECRET } } })],
  ['a type that cannot be stored', () => patch({ keys: { [`:${PHONE}`]: { a: SECRET } } })],
  ['values that are no object', () => patch({ keys: { session: SECRET } })],
  ['creds that are no object', () => patch({ creds: SECRET })],
  ['a member that is unknown', () => patch({ [PHONE]: SECRET })],
  ['a session id', () => checkSessionId(`${PHONE}\0`)],
  ['a key id', () => checkKeyId(`${PHONE}\0`, 'session', NAME.sessionId)],
  ['a key type', () => checkKeyType(`${PHONE} `, NAME.sessionId)],
  ['a short master key', () => parseSqliteOptions({ path: 'a', masterKey: MASTER_KEY.slice(1) })],
  ['master keys as text', () => parseSqliteOptions({ path: 'a', masterKeys: MASTER_KEY as never })],
  ['a bad one of the master keys', () => parseSqliteOptions({ path: 'a', masterKeys: [OTHER_KEY, 'ab'] })],
  [
    'a master key of bytes',
    () => parseSqliteOptions({ path: 'a', masterKey: Buffer.from(MASTER_KEY) as never }),
  ],
  ['both options', () => toCodecOptions({ masterKey: MASTER_KEY, masterKeys: [OTHER_KEY] })],
  ['the same key twice', () => toCodecOptions({ masterKeys: [OTHER_KEY, OTHER_KEY] })],
]

describe('an error shows no phone number, key id, value or master key', () => {
  it.each(provocations)('%s', async (_what, action) => {
    const error = await provoke(action)
    const shown = show(error)
    for (const secret of SECRETS) expect(shown).not.toContain(secret)
    expect(shown).not.toContain(MASTER_KEY.slice(2))
  })

  it('the causes above raise every code for bad input', async () => {
    const codes = new Set<string>()
    for (const [, action] of provocations) codes.add((await provoke(action)).code)
    expect([...codes].sort()).toEqual([
      'CORRUPT_VALUE',
      'DECRYPTION_FAILED',
      'INVALID_KEY',
      'INVALID_OPTION',
      'INVALID_SESSION_ID',
      'INVALID_VALUE',
      'UNSUPPORTED_FORMAT',
    ])
  })
})

describe('StoreError', () => {
  const error = new FencedError(3, 5, { sessionId: NAME.sessionId })

  it('has the session id as a property that copies leave out', () => {
    expect(error.sessionId).toBe(NAME.sessionId)
    expect(Object.keys(error)).not.toContain('sessionId')
    expect({ ...error }).toEqual({ name: 'FencedError', code: 'FENCED', token: 3, current: 5 })
  })

  it('is named for its class and keeps its cause', () => {
    const cause = new Error('why')
    const closed = new ClosedError('The store', { cause })
    expect(closed.name).toBe('ClosedError')
    expect(closed.cause).toBe(cause)
    expect(closed.sessionId).toBeUndefined()
    expect('cause' in error).toBe(false)
  })

  it('has a message that says what was found and what to do', () => {
    expect(error.message).toBe(
      'Another owner has opened the session, with fencing token 5: the owner with token 3 may not write any more. ' +
        'Nothing was written. End this socket. (session "tenant-…34")',
    )
    expect(new FencedError(3, undefined, {}).message).toContain('or it was deleted or has expired')
  })
})

describe('maskSessionId', () => {
  it.each([
    ['tenant-15550001234', 'tenant-…34'],
    ['15550001234', '…34'],
    ['15550001234:12@s.whatsapp.net', '…12@s.whatsapp.net'],
    ['tenant_1555_000_1234', 'tenant_…34'],
    ['1/555/0001234', '…34'],
    ['1:555:0001234', '…34'],
    ['١٥٥٥٠٠٠١٢٣٤', '…٣٤'],
    ['𝟏𝟓𝟓𝟓𝟎𝟎𝟎𝟏𝟐𝟑𝟒', '…𝟑𝟒'],
    ['1-555-000-1234', '…34'],
    ['+55 (11) 9876-4321', '+…21'],
    ['12345', '…45'],
    ['connect ECONNREFUSED 127.0.0.1:6379', 'connect ECONNREFUSED 127.0.0.1:6379'],
    ['10.255.0.12', '10.255.0.12'],
    ['10.256.0.12', '…12'],
    ['1.55.5000.1234', '…34'],
    ['127.0.0.1:6379 15550001234', '…34'],
    ['15.55.0.0:15550001234', '…34'],
    ['55 11 9876 - 5432', '…32'],
    ['5511|9876#5432', '…32'],
    ['5511 & 9876 – 5432', '…32'],
    ['shop-1-of-12', 'shop-1-of-12'],
    ['1234', '1234'],
    ['a15550001111b15550002222c', 'a…11b…22c'],
    ['bot', 'bot'],
    ['', ''],
  ])('shows %s as %s', (sessionId, masked) => {
    expect(maskSessionId(sessionId)).toBe(masked)
  })

  it('shows 60 characters of a long id', () => {
    expect(maskSessionId('x'.repeat(1000))).toBe(`${'x'.repeat(60)}…`)
    expect(maskSessionId('x'.repeat(64))).toBe('x'.repeat(64))
  })
})
