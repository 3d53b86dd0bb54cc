import {
  type BinaryNode,
  getBinaryNodeChild,
  getBinaryNodeChildren,
  jidDecode,
  KEY_BUNDLE_TYPE,
} from '@whiskeysockets/baileys'
import { type Account, DEVICE, type PreKey } from './account.js'
import type { QueryContext } from './iq.js'
import { attribute, bytesOf, children, node } from './nodes.js'

/** Counts, takes in and hands out the keys with which Signal sessions start. */
export function answerKeyQuery(query: BinaryNode, context: QueryContext): BinaryNode[] | undefined {
  const list = getBinaryNodeChild(query, 'list')
  if (query.attrs.type === 'set' && list) return storeKeys(query, list, context)
  const request = children(query)[0]
  switch (request?.tag) {
    case 'count':
      return [node('count', { value: String(countPreKeys(context)) })]
    case 'digest':
      return [node('digest')]
    case 'key':
      return [node('list', {}, handOutKeys(request, context))]
    case 'rotate':
      return rotateSignedPreKey(request, context.account)
    default:
      return undefined
  }
}

function countPreKeys({ account, options }: QueryContext): number {
  return account.preKeys.length || (options.claimedPreKeys ?? 0)
}

function storeKeys(query: BinaryNode, list: BinaryNode, { account, stats }: QueryContext): undefined {
  const preKeys = getBinaryNodeChildren(list, 'key').map(readPreKey)
  account.preKeys.push(...preKeys)
  stats.preKeyUploads.push(preKeys.length)
  rotateSignedPreKey(query, account)
}

function rotateSignedPreKey(parent: BinaryNode, account: Account): undefined {
  const key = getBinaryNodeChild(parent, 'skey')
  if (key) account.keys.signedPreKey = { ...readPreKey(key), signature: bytesOf(key, 'signature') }
}

function readPreKey(key: BinaryNode): PreKey {
  return { id: bytesOf(key, 'id'), value: bytesOf(key, 'value') }
}

function handOutKeys(request: BinaryNode, { directory, stats }: QueryContext): BinaryNode[] {
  return getBinaryNodeChildren(request, 'user').flatMap(user => {
    const jid = attribute(user, 'jid')
    const account = directory.accountOf(jid)
    if (!account || jidDecode(jid)?.device !== DEVICE) return []
    stats.keyBundles++
    return [keyBundle(jid, account)]
  })
}

/** Each one-time pre-key is given away once; without any left the bundle has only the signed one. */
function keyBundle(jid: string, account: Account): BinaryNode {
  const { identity, registrationId, signedPreKey } = account.keys
  const preKey = account.preKeys.shift()
  const signature = node('signature', {}, signedPreKey.signature)
  return node('user', { jid }, [
    node('registration', {}, registrationId),
    node('type', {}, KEY_BUNDLE_TYPE),
    node('identity', {}, identity),
    node('skey', {}, [...describePreKey(signedPreKey), signature]),
    ...(preKey ? [node('key', {}, describePreKey(preKey))] : []),
  ])
}

function describePreKey(key: PreKey): BinaryNode[] {
  return [node('id', {}, key.id), node('value', {}, key.value)]
}
