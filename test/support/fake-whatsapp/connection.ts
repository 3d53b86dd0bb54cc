import { type BinaryNode, decodeBinaryNode, encodeBinaryNode, proto } from '@whiskeysockets/baileys'
import type { WebSocket } from 'ws'
import type { Account } from './account.js'
import type { ServerIdentity } from './certificates.js'
import { FrameReader, toFrame } from './frames.js'
import { NoiseResponder, type NoiseTransport } from './noise.js'

export type Registration = proto.ClientPayload.IDevicePairingRegistrationData

export interface ConnectionListener {
  /** The handshake is done: a registration asks for a pairing, anything else is a login. */
  greeted(connection: Connection, payload: proto.ClientPayload): void
  stanza(connection: Connection, stanza: BinaryNode): void
  failed(error: Error): void
  closed(connection: Connection): void
}

/** One client's socket: the handshake, then stanzas in both directions. */
export class Connection {
  /** Who has logged in here. */
  account: Account | undefined
  /** The references of the QR codes that this client may show. */
  qrRefs: string[] = []
  registration: Registration | undefined

  readonly #socket: WebSocket
  readonly #listener: ConnectionListener
  readonly #frames = new FrameReader()
  readonly #noise: NoiseResponder
  #readFrame: (frame: Buffer) => void | Promise<void> = frame => this.#readHello(frame)
  #transport: NoiseTransport | undefined
  #clientKey: Buffer | undefined
  #ended = false
  #listening = true
  #reading: Promise<void> = Promise.resolve()

  constructor(socket: WebSocket, identity: ServerIdentity, listener: ConnectionListener) {
    this.#socket = socket
    this.#listener = listener
    this.#noise = new NoiseResponder(identity)
    socket.on('message', (chunk: Buffer) => this.#enqueue(chunk))
    socket.on('close', () => this.#listener.closed(this))
    socket.on('error', () => {
      // A killed client resets its connection; 'close' follows.
    })
  }

  /** The client's static Noise key: the same for all connections of one pairing. */
  get clientKey(): Buffer {
    if (!this.#clientKey) throw new Error('expected the handshake to be over')
    return this.#clientKey
  }

  send(stanza: BinaryNode): void {
    if (!this.#transport || this.#ended || this.#socket.readyState !== this.#socket.OPEN) return
    this.#socket.send(toFrame(this.#transport.encrypt(encodeBinaryNode(stanza))))
  }

  /** Sends a last stanza. What the client has still under way is ignored; closing is left to it. */
  end(lastStanza: BinaryNode): void {
    this.send(lastStanza)
    this.#ended = true
    this.#listening = false
  }

  /** Loses all stanzas of the client from now on. */
  stopListening(): void {
    this.#listening = false
  }

  terminate(): void {
    this.#socket.terminate()
  }

  /** Decoding a stanza is asynchronous, and the order of stanzas must survive that. */
  #enqueue(chunk: Buffer): void {
    this.#reading = this.#reading.then(() => this.#read(chunk)).catch(error => this.#fail(error))
  }

  async #read(chunk: Buffer): Promise<void> {
    for (const frame of this.#frames.push(chunk)) await this.#readFrame(frame)
  }

  #readHello(frame: Buffer): void {
    const { clientHello } = proto.HandshakeMessage.decode(frame)
    if (!clientHello?.ephemeral) throw new Error('expected a client hello with an ephemeral key')
    const serverHello = this.#noise.hello(this.#frames.header, clientHello.ephemeral)
    this.#socket.send(toFrame(proto.HandshakeMessage.encode({ serverHello }).finish()))
    this.#readFrame = next => this.#readFinish(next)
  }

  #readFinish(frame: Buffer): void {
    const { clientFinish } = proto.HandshakeMessage.decode(frame)
    if (!clientFinish?.static || !clientFinish.payload) throw new Error('expected a key and a payload')
    const { clientKey, payload, transport } = this.#noise.finish(clientFinish.static, clientFinish.payload)
    this.#clientKey = clientKey
    this.#transport = transport
    this.#readFrame = next => this.#readStanza(next)
    this.#listener.greeted(this, proto.ClientPayload.decode(payload))
  }

  async #readStanza(frame: Buffer): Promise<void> {
    const plaintext = this.#transport?.decrypt(frame)
    if (!plaintext || !this.#listening) return
    this.#listener.stanza(this, await decodeBinaryNode(plaintext))
  }

  #fail(error: Error): void {
    this.#listener.failed(error)
    this.terminate()
  }
}
