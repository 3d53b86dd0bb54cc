import { type Collection, type Document, Double, Long } from 'mongodb'
import { DocumentNames } from '../../../src/mongodb/document-names.js'
import type { StoredMember, StoredMembers } from './stored-member.js'

type Documents = Collection<Document & { _id: string }>

/** Members that a head may have and has not always. */
const MORE = [
  'late',
  'isPart',
  'leaseUntil',
  'barredBelow',
  'forks',
  'intent',
  'createdAt',
  'claimedAt',
  'owner',
]
const ENDS = ['session', 'endsAt', 'intent']

/** Every member of every document of a session, intents on its head, and the documents themselves. */
export function mongodbMembers(documents: Documents): StoredMembers {
  const ofDocument = (document: Document & { _id: string }, names: DocumentNames): StoredMember[] => {
    const { _id } = document
    const isHead = _id === names.head
    const place = isHead ? 'the head' : names.suffixOf(_id)
    const update = (member: string, damaged: unknown) =>
      documents.updateOne(
        { _id },
        damaged === undefined ? { $unset: { [member]: '' } } : { $set: { [member]: toBson(damaged) } },
      )
    const members = new Set([...Object.keys(document), ...(isHead ? MORE : ['gone'])])
    members.delete('_id')
    const holdsOf = (member: string): StoredMember['holds'] => {
      if (isHead) return ENDS.includes(member) ? 'life' : 'state'
      if (member === 'gone') return 'value'
      return member === 'data' ? (place.startsWith('creds/') ? 'creds' : 'value') : 'state'
    }
    return [
      ...[...members].map((member): StoredMember => {
        const value = toPlain(document[member])
        return {
          name: `${member} of ${place}`,
          holds: holdsOf(member),
          value,
          put: damaged => update(member, damaged),
        }
      }),
      {
        name: `the document of ${place}`,
        holds: 'state',
        value: undefined,
        put: () => documents.deleteOne({ _id }),
      },
      ...(isHead ? intentsOf(document, update) : []),
    ]
  }
  return {
    async of(sessionId) {
      const names = new DocumentNames(sessionId)
      const found = await documents.find({ _id: names.all as never }, { promoteBuffers: true }).toArray()
      return found.flatMap(document => ofDocument(document, names))
    },
    clear: sessionId => documents.deleteMany({ _id: new DocumentNames(sessionId).all as never }),
  }
}

/** As a process would leave one that died before it was done, with one member that is damaged. */
function intentsOf(
  { v }: Document,
  update: (member: string, damaged: unknown) => Promise<unknown>,
): StoredMember[] {
  const writes = [{ at: 'session/i', data: Buffer.from('b1007b7d', 'hex') }]
  const intents: Document[] = [
    { v, writes },
    { v, chain: 'c'.repeat(24), parts: 2 },
    { v, purge: true },
  ]
  const whole = intents.flatMap(intent =>
    Object.entries(intent).map(
      ([member, value]): StoredMember => ({
        name: `${member} of an intent`,
        holds: 'life',
        value: Array.isArray(value) ? undefined : value,
        put: damaged => update('intent', toBson({ ...intent, [member]: damaged })),
      }),
    ),
  )
  const ofWrite = ['at', 'data', 'v'].map(
    (member): StoredMember => ({
      name: `${member} of a write of an intent`,
      holds: 'life',
      value: member === 'v' ? v : writes[0]?.[member as 'at'],
      put: damaged => update('intent', toBson({ v, writes: [{ ...writes[0], [member]: damaged }] })),
    }),
  )
  return [...whole, ...ofWrite]
}

function toPlain(value: unknown): unknown {
  return value ?? undefined
}

/** What is above 2^53 is a Long, and half of the numbers are doubles. */
function toBson(damaged: unknown): unknown {
  if (typeof damaged !== 'number') return damaged
  if (Number.isInteger(damaged) && Math.abs(damaged) >= 2 ** 53 && Math.abs(damaged) < 2 ** 63)
    return Long.fromString(BigInt(damaged).toString())
  return damaged % 2 === 0 ? new Double(damaged) : damaged
}
