import { type BinaryNode, getBinaryNodeChild, getBinaryNodeChildren } from '@whiskeysockets/baileys'
import { type Account, type Addressing, addressingOf, DEVICE } from './account.js'
import type { Directory, Group } from './directory.js'
import { answerKeyQuery } from './key-queries.js'
import { attribute, node } from './nodes.js'
import type { World } from './world.js'

export interface QueryContext extends World {
  account: Account
}

type Answer = (query: BinaryNode, context: QueryContext) => BinaryNode[] | undefined

const answers: Record<string, Answer> = {
  encrypt: answerKeyQuery,
  usync: answerDeviceQuery,
  'w:g2': answerGroupQuery,
  'w:sync:app:state': answerAppStateQuery,
  abt: () => [node('props', { hash: 'props' }, [])],
  blocklist: () => [node('list', {}, [])],
  privacy: query => (query.attrs.type === 'get' ? [node('privacy', {}, [])] : undefined),
}

/** The content of the result. A query that nobody here knows (a ping, a token) gets an empty one. */
export function answerQuery(query: BinaryNode, context: QueryContext): BinaryNode[] | undefined {
  return answers[query.attrs.xmlns ?? '']?.(query, context)
}

function answerDeviceQuery(query: BinaryNode, { directory }: QueryContext): BinaryNode[] {
  const list = getBinaryNodeChild(getBinaryNodeChild(query, 'usync'), 'list')
  const users = getBinaryNodeChildren(list, 'user').map(user =>
    describeUser(attribute(user, 'jid'), directory),
  )
  return [node('usync', {}, [node('list', {}, users.flat())])]
}

function describeUser(jid: string, directory: Directory): BinaryNode[] {
  const account = directory.accountOf(jid)
  if (!account) return []
  const device = node('device', { id: String(DEVICE), 'key-index': String(DEVICE) })
  const devices = node('devices', {}, [node('device-list', {}, [device])])
  const lid = node('lid', { val: account.userJid('lid') })
  return [node('user', { jid }, addressingOf(jid) === 'lid' ? [devices] : [devices, lid])]
}

function answerGroupQuery(query: BinaryNode, { directory }: QueryContext): BinaryNode[] {
  const group = directory.group(attribute(query, 'to'))
  const members = directory.membersOf(group).map(member => describeMember(member, group.addressing))
  return [node('group', groupAttributes(group), members)]
}

function groupAttributes(group: Group): Record<string, string> {
  const id = group.jid.replace('@g.us', '')
  return { id, subject: group.subject, s_t: '1', creation: '1', addressing_mode: group.addressing }
}

function describeMember(member: Account, addressing: Addressing): BinaryNode {
  const pn = member.userJid('pn')
  const lid = member.userJid('lid')
  return node('participant', addressing === 'lid' ? { jid: lid, phone_number: pn } : { jid: pn, lid })
}

function answerAppStateQuery(query: BinaryNode): BinaryNode[] {
  const asked = getBinaryNodeChildren(getBinaryNodeChild(query, 'sync'), 'collection')
  const unchanged = asked.map(({ attrs }) => node('collection', { name: attrs.name, version: attrs.version }))
  return [node('sync', {}, unchanged)]
}
