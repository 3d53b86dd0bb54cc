import type { BinaryNode } from '@whiskeysockets/baileys'
import { type Account, addressingOf } from './account.js'
import type { Directory } from './directory.js'
import { isGroup } from './messages.js'
import { attribute, node, unixTime } from './nodes.js'

/** Whether the receipt says that its message was decrypted, rather than asking for it again. */
export function confirmsDecryption(receipt: BinaryNode): boolean {
  return receipt.attrs.type !== 'retry'
}

/** A delivery receipt answers the message it names. */
export function answerByReceipt(receipt: BinaryNode, account: Account): void {
  account.mailbox.answer({
    class: 'message',
    id: attribute(receipt, 'id'),
    from: attribute(receipt, 'to'),
    participant: receipt.attrs.participant,
    type: undefined,
  })
}

/**
 * An ack answers the stanza of its class. For a message it stands for "could not decrypt, do not send again":
 * the retry receipt that went before it has asked the sender for a new copy.
 */
export function answerByAck(ack: BinaryNode, account: Account): void {
  const stanzaClass = attribute(ack, 'class')
  account.mailbox.answer({
    class: stanzaClass,
    id: attribute(ack, 'id'),
    from: attribute(ack, 'to'),
    participant: ack.attrs.participant,
    type: stanzaClass === 'receipt' ? ack.attrs.type : undefined,
  })
}

/** Tells the author of the message about the receipt. */
export function routeReceipt(receipt: BinaryNode, reader: Account, directory: Directory): void {
  const to = attribute(receipt, 'to')
  const author = receipt.attrs.participant ?? to
  const recipient = directory.accountOf(author)
  if (!recipient || recipient === reader) return
  const readerJid = reader.deviceJid(addressingOf(author))
  const origin = isGroup(to) ? { from: to, participant: readerJid } : { from: readerJid }
  const { id, type } = receipt.attrs
  recipient.mailbox.deliver(node('receipt', { id, type, ...origin, t: unixTime() }, receipt.content))
}
