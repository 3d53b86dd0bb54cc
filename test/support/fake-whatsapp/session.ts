import { type BinaryNode, S_WHATSAPP_NET } from '@whiskeysockets/baileys'
import type { Account } from './account.js'
import type { Connection } from './connection.js'
import { answerQuery } from './iq.js'
import { routeMessage } from './messages.js'
import { attribute, node, unixTime } from './nodes.js'
import { PAIR_SUCCESS_ID } from './pairing.js'
import { answerByAck, answerByReceipt, confirmsDecryption, routeReceipt } from './receipts.js'
import type { World } from './world.js'

const ROUTING_INFO = Buffer.from([8, 2, 8, 5])

/** Lets a paired client in. An older connection of the same pairing is told that it was replaced. */
export function logIn(connection: Connection, pn: string, { directory, stats }: World): void {
  const account = directory.findAccount(pn)
  if (!account?.keys.noise.equals(connection.clientKey)) {
    connection.end(node('failure', { reason: '401' }))
    return
  }
  const older = account.connection
  if (older) {
    stats.conflicts++
    leave(older)
    older.end(node('stream:error', {}, [node('conflict', { type: 'replaced' })]))
  }
  stats.logins++
  connection.account = account
  account.connection = connection
  connection.send(node('success', { t: unixTime(), creation: unixTime(), lid: account.deviceJid('lid') }))
}

/** The connection is gone; what it has not answered waits for the next one. */
export function leave(connection: Connection): void {
  const account = connection.account
  if (!account) return
  account.mailbox.goOffline(connection)
  if (account.connection === connection) account.connection = undefined
}

export function receive(stanza: BinaryNode, connection: Connection, world: World): void {
  if (connection.account) receiveFromAccount(stanza, connection, connection.account, world)
  else if (stanza.tag === 'iq') endPairing(stanza, connection)
}

function receiveFromAccount(
  stanza: BinaryNode,
  connection: Connection,
  account: Account,
  world: World,
): void {
  if (stanza.tag === 'iq') receiveQuery(stanza, connection, account, world)
  if (stanza.tag === 'message') receiveMessage(stanza, connection, account, world)
  if (stanza.tag === 'receipt') receiveReceipt(stanza, connection, account, world)
  if (stanza.tag === 'ack') answerByAck(stanza, account)
}

/** Once the client has answered `pair-success`, it has to come back and log in. */
function endPairing(result: BinaryNode, connection: Connection): void {
  if (result.attrs.id === PAIR_SUCCESS_ID) connection.end(node('stream:error', { code: '515' }))
}

function receiveQuery(query: BinaryNode, connection: Connection, account: Account, world: World): void {
  const attrs = { id: attribute(query, 'id'), type: 'result', from: query.attrs.to ?? S_WHATSAPP_NET }
  connection.send(node('iq', attrs, answerQuery(query, { account, ...world })))
  if (query.attrs.xmlns === 'passive') goOnline(connection, account, world)
}

function goOnline(connection: Connection, account: Account, { stats }: World): void {
  const routing = node('edge_routing', {}, [node('routing_info', {}, ROUTING_INFO)])
  connection.send(node('ib', { from: S_WHATSAPP_NET }, [routing]))
  const waiting = account.mailbox.goOnline(connection)
  stats.queuedMessages += waiting.filter(({ tag }) => tag === 'message').length
  connection.send(node('ib', { from: S_WHATSAPP_NET }, [node('offline', { count: String(waiting.length) })]))
}

/** The ack is sent last: who has it can rely on the message being in every mailbox. */
function receiveMessage(message: BinaryNode, connection: Connection, account: Account, world: World): void {
  world.stats.messages++
  routeMessage(message, account, world.directory)
  const { id, to } = message.attrs
  connection.send(node('ack', { class: 'message', id, from: to, t: unixTime() }))
}

function receiveReceipt(receipt: BinaryNode, connection: Connection, account: Account, world: World): void {
  if (confirmsDecryption(receipt)) {
    answerByReceipt(receipt, account)
    world.confirmations.add(account.id.pn, attribute(receipt, 'id'))
  } else {
    world.stats.retries++
  }
  routeReceipt(receipt, account, world.directory)
  const { id, to, type } = receipt.attrs
  connection.send(node('ack', { class: 'receipt', id, from: to, type }))
}
