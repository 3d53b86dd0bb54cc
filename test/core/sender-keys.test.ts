import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { repairSenderKey } from '../../src/core/hook/sender-keys.js'

interface GroupCode {
  SenderKeyRecord: { new (): SenderRecord; deserialize(bytes: Uint8Array): SenderRecord }
  SenderKeyName: new (group: string, sender: { id: string; deviceId: number }) => object
  GroupCipher: new (store: object, name: object) => Cipher
  GroupSessionBuilder: new (store: object) => Builder
}
interface SenderRecord {
  serialize(): unknown
}
interface Cipher {
  encrypt(text: Uint8Array): Promise<Uint8Array>
  decrypt(message: Uint8Array): Promise<Uint8Array>
}
interface Builder {
  create(name: object): Promise<object>
  process(name: object, message: object): Promise<void>
}

/** The group code of Baileys, which Baileys does not export. */
const entry = createRequire(import.meta.url).resolve('@whiskeysockets/baileys')
const groupCode = pathToFileURL(join(dirname(entry), 'Signal', 'Group', 'index.js')).href
const { SenderKeyRecord, SenderKeyName, GroupCipher, GroupSessionBuilder }: GroupCode = await import(
  groupCode
)

const name = new SenderKeyName('120363000000000001@g.us', { id: '15550001111', deviceId: 0 })

/** One member's record, written as Baileys writes it and read back through `mend`. */
class Member {
  record: unknown
  readonly #mend: (record: unknown) => unknown

  constructor(mend: (record: unknown) => unknown) {
    this.#mend = mend
  }

  loadSenderKey = async (): Promise<SenderRecord> =>
    this.record === undefined
      ? new SenderKeyRecord()
      : SenderKeyRecord.deserialize(this.#mend(this.record) as Uint8Array)

  storeSenderKey = async (_name: object, record: SenderRecord): Promise<void> => {
    this.record = Buffer.from(JSON.stringify(record.serialize()), 'utf8')
  }
}

async function receiveOutOfOrder(mend: (record: unknown) => unknown): Promise<string[]> {
  const sender = new Member(record => record)
  const receiver = new Member(mend)
  const builder = new GroupSessionBuilder(sender)
  await new GroupSessionBuilder(receiver).process(name, await builder.create(name))
  const messages: Uint8Array[] = []
  for (const text of ['one', 'two', 'three']) {
    messages.push(await new GroupCipher(sender, name).encrypt(Buffer.from(text)))
  }
  const cipher = new GroupCipher(receiver, name)
  const texts: string[] = []
  for (const i of [2, 0, 1])
    texts.push(Buffer.from(await cipher.decrypt(messages[i] as Uint8Array)).toString())
  return texts
}

describe('repairSenderKey', () => {
  it('lets Baileys read group messages out of order, which it cannot do otherwise', async () => {
    await expect(receiveOutOfOrder(record => record)).rejects.toThrow('Expected Buffer')
    expect(await receiveOutOfOrder(repairSenderKey)).toEqual(['three', 'one', 'two'])
  })

  it('halves the record, and changes no byte of its keys', () => {
    const seeds = Array.from({ length: 100 }, (_, i) => ({ iteration: i, seed: Buffer.alloc(32, i + 100) }))
    const record = Buffer.from(JSON.stringify([{ senderKeyId: 1, senderMessageKeys: seeds }]))
    const repaired = repairSenderKey(record) as Buffer
    expect(repaired.length).toBeLessThan(record.length * 0.6)
    const [state] = JSON.parse(repaired.toString())
    expect(state.senderMessageKeys.map(({ seed }: { seed: { data: string } }) => seed.data)).toEqual(
      seeds.map(({ seed }) => seed.toString('base64')),
    )
  })

  it('gives the same result when it is applied twice', () => {
    const record = Buffer.from(JSON.stringify([{ seed: Buffer.from('a') }]))
    const once = repairSenderKey(record)
    expect(repairSenderKey(once)).toBe(once)
  })

  it.each([
    ['text that is not JSON', Buffer.from('not JSON, though it has "data":[1]')],
    ['bytes that are not text', Buffer.from([0xff, 0xfe, 0x00])],
    ['a record without lists of numbers', Buffer.from('[{"seed":{"type":"Buffer","data":"YQ=="}}]')],
    ['a value that is not bytes', { seed: { type: 'Buffer', data: [1] } }],
  ])('returns %s unchanged', (_what, record) => {
    expect(repairSenderKey(record)).toBe(record)
  })

  it('reads a Uint8Array that is a view into a larger one', () => {
    const text = Buffer.from(`xx${JSON.stringify([{ seed: Buffer.from('a') }])}xx`)
    const view = new Uint8Array(text.buffer, text.byteOffset + 2, text.length - 4)
    expect(JSON.parse(String(repairSenderKey(view)))).toEqual([{ seed: { type: 'Buffer', data: 'YQ==' } }])
  })
})
