import { type BinaryNode, getBinaryNodeChild, getBinaryNodeChildren } from '@whiskeysockets/baileys'
import { type Account, type Addressing, addressingOf } from './account.js'
import type { Directory, Group } from './directory.js'
import { attribute, children, node, unixTime } from './nodes.js'

/** Hands a message to the mailbox of everyone it is for, with only the ciphertexts meant for them. */
export function routeMessage(message: BinaryNode, sender: Account, directory: Directory): void {
  const group = isGroup(attribute(message, 'to')) ? directory.group(attribute(message, 'to')) : undefined
  const own = ownCiphertexts(message, directory)
  const shared = children(message).filter(({ tag }) => tag === 'enc')
  const deviceIdentity = children(message).filter(({ tag }) => tag === 'device-identity')
  for (const recipient of recipients(message, own, group, directory)) {
    if (recipient === sender) continue
    const content = [...(own.get(recipient) ?? []), ...shared, ...deviceIdentity]
    const attrs = group ? groupAttributes(message, sender, group) : directAttributes(message, sender)
    recipient.mailbox.deliver(node('message', attrs, content))
  }
}

export function isGroup(jid: string): boolean {
  return jid.endsWith('@g.us')
}

/** `<participants>`: what was encrypted for one device alone. */
function ownCiphertexts(message: BinaryNode, directory: Directory): Map<Account, BinaryNode[]> {
  const own = new Map<Account, BinaryNode[]>()
  for (const target of getBinaryNodeChildren(getBinaryNodeChild(message, 'participants'), 'to')) {
    const account = directory.accountOf(attribute(target, 'jid'))
    if (account) own.set(account, children(target))
  }
  return own
}

/** A group message is for all members, unless it is one member's second copy after a retry receipt. */
function recipients(
  message: BinaryNode,
  own: Map<Account, BinaryNode[]>,
  group: Group | undefined,
  directory: Directory,
): Iterable<Account> {
  if (group && !message.attrs.participant) return directory.membersOf(group)
  if (own.size > 0) return own.keys()
  const only = directory.accountOf(message.attrs.participant ?? attribute(message, 'to'))
  return only ? [only] : []
}

function directAttributes(message: BinaryNode, sender: Account): Record<string, string | undefined> {
  const addressing = addressingOf(attribute(message, 'to'))
  return {
    ...commonAttributes(message, sender),
    from: sender.deviceJid(addressing),
    ...otherName('sender', sender, addressing),
  }
}

function groupAttributes(
  message: BinaryNode,
  sender: Account,
  group: Group,
): Record<string, string | undefined> {
  return {
    ...commonAttributes(message, sender),
    from: group.jid,
    participant: sender.deviceJid(group.addressing),
    addressing_mode: group.addressing,
    ...otherName('participant', sender, group.addressing),
  }
}

function commonAttributes(message: BinaryNode, sender: Account): Record<string, string | undefined> {
  return { id: attribute(message, 'id'), type: message.attrs.type, t: unixTime(), notify: sender.id.pn }
}

function otherName(prefix: string, account: Account, addressing: Addressing): Record<string, string> {
  const other: Addressing = addressing === 'lid' ? 'pn' : 'lid'
  return { [`${prefix}_${other}`]: account.userJid(other) }
}
