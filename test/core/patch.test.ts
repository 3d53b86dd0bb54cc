import { expect, test } from 'vitest'
import { createCodec } from '../../src/core/codec/codec.js'
import { decodeSnapshot, encodePatch } from '../../src/core/store/patch.js'
import { settleEach } from '../../src/core/store/settle-each.js'
import { toCodecOptions } from '../../src/core/store/store-settings.js'

const codec = await createCodec(toCodecOptions({}))
const encode = (patch: object) => () => encodePatch(codec, 's', patch)
const manyKeys = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, { n }] as const))
const throwing = {
  get a(): never {
    throw new TypeError('a getter of 15550001234')
  },
}

test.each<[string, object]>([
  ['keys as a Map', { keys: new Map([['session', { a: 1 }]]) }],
  ['keys of a type as a Map', { keys: { session: new Map([['a', 1]]) } }],
  ['keys of a type as a Set', { keys: { session: new Set(['a']) } }],
  ['keys of a type as a list', { keys: { session: [1] } }],
  ['keys of a type as bytes', { keys: { session: new Uint8Array(1) } }],
  ['creds as a Map', { creds: new Map([['noiseKey', 1]]) }],
  ['appState as a Map', { appState: new Map([['a', 1]]) }],
  ['a key that throws when it is read', { keys: { session: throwing } }],
  ['creds that throw when they are read', { creds: throwing }],
  [
    'members that throw when they are read',
    {
      get keys(): never {
        throw new Error('no')
      },
    },
  ],
])('a patch with %s is refused', (_, patch) => {
  expect(encode(patch)).toThrow(expect.objectContaining({ code: 'INVALID_VALUE', sessionId: 's' }))
  expect(encode(patch)).not.toThrow(/1234/)
})

test('a session of many keys is decoded in slices, and other work has its turn between them', async () => {
  const { writes } = encodePatch(codec, 's', {
    creds: { registrationId: 7 },
    keys: { session: manyKeys(1000) },
  })
  const fields = writes.map(write => ({ ...write, bytes: write.bytes as Uint8Array }))
  let turns = 0
  let isOver = false
  const count = () => {
    turns++
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  const snapshot = await decodeSnapshot(codec, 's', fields)
  isOver = true
  expect(Object.keys(snapshot?.keys.session ?? {})).toHaveLength(1000)
  expect(turns).toBeGreaterThanOrEqual(3)
})

test('an entry of a batch that throws when it is read fails alone', async () => {
  const inputs = [
    { id: 'a' },
    {
      get id(): string {
        throw new Error('no')
      },
    },
    { id: 'c' },
  ]
  const results = await settleEach(
    inputs,
    ({ id }) => id,
    async ({ id }) => id,
  )
  expect(results).toMatchObject([{ value: 'a' }, { error: { code: 'INVALID_OPTION' } }, { value: 'c' }])
})

test('a batch has at most 1,000 calls under way, and keeps the order of its results', async () => {
  let underWay = 0
  let most = 0
  const results = await settleEach(
    Array.from({ length: 2500 }, (_, n) => n),
    String,
    async n => {
      most = Math.max(most, ++underWay)
      await new Promise(resolve => setImmediate(resolve))
      underWay--
      return n
    },
  )
  expect(most).toBe(1000)
  expect(results.map(result => 'value' in result && result.value)).toEqual(results.map((_, n) => n))
})
