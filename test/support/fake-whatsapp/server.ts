import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { BinaryNode } from '@whiskeysockets/baileys'
import { type WebSocket, WebSocketServer } from 'ws'
import type { AccountId, Addressing } from './account.js'
import { createServerIdentity } from './certificates.js'
import { Confirmations } from './confirmations.js'
import { Connection, type ConnectionListener } from './connection.js'
import { Directory } from './directory.js'
import { node } from './nodes.js'
import { offerPairing, pair, readQrCode } from './pairing.js'
import { leave, logIn, receive } from './session.js'
import { emptyStats, type Stats } from './stats.js'
import type { ServerOptions, World } from './world.js'

const UNLINKED = 401

/** Listens on loopback, on a port of its own. */
export async function startFakeWhatsApp(options: ServerOptions = {}): Promise<FakeWhatsApp> {
  const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(sockets, 'listening')
  return new FakeWhatsApp(sockets, options)
}

/** A WhatsApp server as far as real Baileys sockets can tell: they pair, log in and talk to each other. */
export class FakeWhatsApp {
  readonly url: string
  readonly #sockets: WebSocketServer
  readonly #identity = createServerIdentity()
  readonly #connections = new Set<Connection>()
  readonly #failures: Error[] = []
  readonly #world: World

  constructor(sockets: WebSocketServer, options: ServerOptions) {
    this.#world = {
      directory: new Directory(),
      confirmations: new Confirmations(),
      stats: emptyStats(),
      options,
    }
    const { port } = sockets.address() as AddressInfo
    this.url = `ws://127.0.0.1:${port}/ws/chat`
    this.#sockets = sockets
    sockets.on('connection', socket => this.#accept(socket))
  }

  get stats(): Readonly<Stats> {
    return this.#world.stats
  }

  /** Pairs the client that shows the code, as the phone of that account would. */
  scan(qr: string, id: AccountId): void {
    const code = readQrCode(qr)
    const connection = [...this.#connections].find(({ qrRefs }) => qrRefs.includes(code.ref))
    if (!connection) throw new Error('no connected client shows this QR code')
    this.#world.directory.addAccount(pair(connection, code, id))
    this.#world.stats.pairings++
  }

  /** Makes a group of accounts that have paired; returns its jid. */
  createGroup(id: string, members: AccountId[], addressing: Addressing = 'lid'): string {
    const jid = `${id}@g.us`
    const pns = members.map(({ pn }) => this.#world.directory.account(pn).id.pn)
    this.#world.directory.addGroup({ jid, subject: id, addressing, members: pns })
    return jid
  }

  /** Keeps messages to this account back until `release`. */
  hold({ pn }: AccountId): void {
    this.#world.directory.account(pn).mailbox.hold()
  }

  /** Delivers what was held back, in the order given. */
  release({ pn }: AccountId, order: (held: BinaryNode[]) => BinaryNode[] = held => held): void {
    this.#world.directory.account(pn).mailbox.release(order)
  }

  /**
   * Loses what the account's present connection sends from now on. To the server, and to the messages that it
   * delivers meanwhile, that is a client which crashes between storing the decrypted state and answering.
   */
  loseAnswers({ pn }: AccountId): void {
    this.#world.directory.account(pn).connection?.stopListening()
  }

  /** Cuts the account's connection, as a lost network does. */
  drop({ pn }: AccountId): void {
    this.#world.directory.account(pn).connection?.terminate()
  }

  /** Ends the account's connection for that reason. Of 401, its pairing ends as well. */
  dismiss({ pn }: AccountId, code: number): void {
    const { directory } = this.#world
    directory.account(pn).connection?.end(node('stream:error', { code: String(code) }))
    if (code === UNLINKED) directory.removeAccount(pn)
  }

  /** Resolves when the account has sent delivery receipts for all these messages. */
  async confirmed({ pn }: AccountId, messageIds: string[], timeoutMs = 10_000): Promise<void> {
    await this.#world.confirmations.all(pn, messageIds, timeoutMs)
  }

  /** Drops all clients. Rejects when the server could not make sense of something they sent. */
  async close(): Promise<void> {
    for (const connection of this.#connections) connection.terminate()
    await new Promise(resolve => this.#sockets.close(resolve))
    if (this.#failures.length > 0) throw new AggregateError(this.#failures, 'the fake server failed')
  }

  #accept(socket: WebSocket): void {
    const listener: ConnectionListener = {
      greeted: (connection, payload) => {
        if (payload.devicePairingData) offerPairing(connection, payload.devicePairingData)
        else logIn(connection, String(payload.username), this.#world)
      },
      stanza: (connection, stanza) => receive(stanza, connection, this.#world),
      failed: error => this.#failures.push(error),
      closed: connection => {
        leave(connection)
        this.#connections.delete(connection)
      },
    }
    this.#connections.add(new Connection(socket, this.#identity, listener))
  }
}
