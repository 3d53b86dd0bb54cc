import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BufferJSON, useMultiFileAuthState as open } from '@whiskeysockets/baileys'
import { expect, onTestFinished, test } from 'vitest'
import { readMultiFileAuthState, type SessionRecord, type SkippedRecord } from '../../src/index.js'

const KEY_PAIR = { public: Buffer.alloc(32, 1), private: Buffer.alloc(32, 2) }
/** Ids as Baileys makes them. */
const KEYS = {
  'pre-key': { 1: KEY_PAIR, 812: KEY_PAIR },
  session: {
    '15550001234.0': Buffer.from('a'),
    '15550001234.12': Buffer.from('b'),
    '100000000000001_1.99': Buffer.from('c'),
    '15550001234:12.0': Buffer.from('d'),
  },
  'identity-key': { '100000000000001_1.0': Buffer.from('identity') },
  'sender-key': {
    '120363001@g.us::15550001234::12': Buffer.from('[]'),
    '15550001234-1600000000@g.us::100000000000001_1::0': Buffer.from('[1]'),
  },
  'sender-key-memory': {
    '120363001@g.us': { '15550001234@s.whatsapp.net': true },
    '15550001234-1600000000@g.us': {},
  },
  'app-state-sync-key': { 'AAAA/b+c=': { keyData: Buffer.from('key'), timestamp: '1' } },
  'app-state-sync-version': {
    critical_unblock_low: { version: 1, hash: Buffer.alloc(8), indexValueMap: {} },
  },
  'lid-mapping': { 15550001234: '100000000000001', '100000000000001_reverse': '15550001234' },
  'device-list': { 15550001234: ['0', '12'] },
  tctoken: { '100000000000001@lid': { token: Buffer.from('t') }, __index: { token: Buffer.from('i') } },
}

async function setUp(keys: object = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'multi-file-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const { state, saveCreds } = await open(folder)
  await state.keys.set(keys)
  await saveCreds()
  const put = (name: string, text: string) => writeFile(join(folder, name), text)
  return { folder, state, put }
}

async function readAll(folder: string) {
  const records: SessionRecord[] = []
  const skipped: SkippedRecord[] = []
  for await (const record of readMultiFileAuthState(folder)) {
    if ('skipped' in record) skipped.push(record)
    else records.push(record)
  }
  return { records, skipped }
}

test('every type of key comes back under its id', async () => {
  const { folder, state } = await setUp(KEYS)
  const { records, skipped } = await readAll(folder)
  const keys: Record<string, Record<string, unknown>> = {}
  for (const { type, id, value } of records.slice(1)) keys[type] = { ...keys[type], [id]: value }
  expect(records[0]).toEqual({
    type: 'creds',
    id: '',
    value: JSON.parse(JSON.stringify(state.creds, BufferJSON.replacer), BufferJSON.reviver),
  })
  expect(keys).toEqual(KEYS)
  expect(skipped).toEqual([])
})

test('files that are no keys are named, and those of interrupted writes are passed over', async () => {
  const { folder, put } = await setUp({ 'pre-key': { 1: KEY_PAIR } })
  await put('pre-key-1.json.tmp', '{')
  await put('notes.txt', 'mine')
  await put('something-new-1.json', '{}')
  await put('session-1.0.json.bak', '"old"')
  const { records, skipped } = await readAll(folder)
  expect(records.map(({ type }) => type)).toEqual(['creds', 'pre-key'])
  expect(skipped.sort((a, b) => (a.skipped < b.skipped ? -1 : 1))).toEqual([
    { skipped: 'session-1.0.json.bak', reason: expect.stringContaining('only this file is left') },
    { skipped: 'something-new-1.json', reason: expect.stringContaining('not known') },
  ])
})

test.each(['', '{"a":', 'null bytes \0'])(
  'a file that holds %j gives way to its .bak, else it is named',
  async text => {
    const { folder, put } = await setUp({ session: { '1.0': 'one', '2.0': 'two' } })
    for (const id of [1, 2]) await put(`session-${id}.0.json`, text)
    await put('session-1.0.json.bak', '"before"')
    const { records, skipped } = await readAll(folder)
    expect(records.slice(1)).toEqual([{ type: 'session', id: '1.0', value: 'before' }])
    expect(skipped).toEqual([{ skipped: 'session-2.0.json', reason: expect.stringContaining('no JSON') }])
  },
)

test('damaged creds are an error, unless there is a .bak', async () => {
  const { folder, put } = await setUp()
  await put('creds.json', '{"noiseKey":')
  await expect(readAll(folder)).rejects.toMatchObject({ code: 'CORRUPT_VALUE' })
  await put('creds.json.bak', '{"registrationId":7}')
  expect((await readAll(folder)).records).toEqual([{ type: 'creds', id: '', value: { registrationId: 7 } }])
})

test('a key that is null is named, and what is no file is refused', async () => {
  const { folder, put } = await setUp()
  await put('pre-key-1.json', 'null')
  const nothing = { skipped: 'pre-key-1.json', reason: 'it holds no key' }
  expect((await readAll(folder)).skipped).toEqual([nothing])
  await mkdir(join(folder, 'pre-key-2.json'))
  await expect(readAll(folder)).rejects.toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringContaining('EISDIR'),
  })
})

test('a folder without creds, and none at all, are refused', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'multi-file-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  for (const none of [folder, join(folder, 'none')]) {
    await expect(readAll(none)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  }
})
