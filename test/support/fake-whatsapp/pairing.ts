import { createHmac, randomBytes } from 'node:crypto'
import { Curve, proto, S_WHATSAPP_NET } from '@whiskeysockets/baileys'
import { Account, type AccountId, DEVICE } from './account.js'
import type { Connection, Registration } from './connection.js'
import { node, unixTime } from './nodes.js'

export const PAIR_SUCCESS_ID = 'pair-success'

const QR_CODES = 6
const ADV_ACCOUNT_SIGNATURE_PREFIX = Buffer.from([6, 0])

interface QrCode {
  ref: string
  identityKey: Buffer
  advSecret: Buffer
}

/** `https://wa.me/settings/linked_devices#ref,noise key,identity key,secret,platform` */
export function readQrCode(qr: string): QrCode {
  const [ref, , identityKey, advSecret] = (qr.split('#')[1] ?? '').split(',')
  if (!ref || !identityKey || !advSecret) throw new Error(`not a QR code of a linked device: ${qr}`)
  return { ref, identityKey: Buffer.from(identityKey, 'base64'), advSecret: Buffer.from(advSecret, 'base64') }
}

/** Gives the client the references that its QR codes show. */
export function offerPairing(connection: Connection, registration: Registration): void {
  connection.registration = registration
  connection.qrRefs = Array.from({ length: QR_CODES }, () => randomBytes(8).toString('hex'))
  const refs = connection.qrRefs.map(ref => node('ref', {}, Buffer.from(ref)))
  connection.send(
    node('iq', { id: 'pair-device', type: 'set', xmlns: 'md', from: S_WHATSAPP_NET }, [
      node('pair-device', {}, refs),
    ]),
  )
}

/** Does what the phone does when it scans the code: signs the device's identity and lets it in. */
export function pair(connection: Connection, qr: QrCode, id: AccountId): Account {
  const account = new Account(id, deviceKeys(connection, qr))
  const signed = signedIdentity(qr.identityKey)
  const hmac = createHmac('sha256', qr.advSecret).update(signed).digest()
  const identity = proto.ADVSignedDeviceIdentityHMAC.encode({ details: signed, hmac }).finish()
  const content = [
    node('device-identity', {}, identity),
    node('device', { jid: account.deviceJid('pn'), lid: account.deviceJid('lid') }),
    node('platform', { name: 'android' }),
  ]
  connection.qrRefs = []
  connection.send(
    node('iq', { id: PAIR_SUCCESS_ID, type: 'set', xmlns: 'md', from: S_WHATSAPP_NET, t: unixTime() }, [
      node('pair-success', {}, content),
    ]),
  )
  return account
}

function signedIdentity(identityKey: Buffer): Buffer {
  const phone = Curve.generateKeyPair()
  const details = Buffer.from(
    proto.ADVDeviceIdentity.encode({ rawId: 1, timestamp: Number(unixTime()), keyIndex: DEVICE }).finish(),
  )
  const signedBytes = Buffer.concat([ADV_ACCOUNT_SIGNATURE_PREFIX, details, identityKey])
  const identity = {
    details,
    accountSignatureKey: phone.public,
    accountSignature: Curve.sign(phone.private, signedBytes),
  }
  return Buffer.from(proto.ADVSignedDeviceIdentity.encode(identity).finish())
}

function deviceKeys(connection: Connection, qr: QrCode): Account['keys'] {
  const { eRegid, eSkeyId, eSkeyVal, eSkeySig } = connection.registration ?? {}
  if (!eRegid || !eSkeyId || !eSkeyVal || !eSkeySig) throw new Error('expected a complete registration')
  return {
    noise: connection.clientKey,
    identity: qr.identityKey,
    registrationId: eRegid,
    signedPreKey: { id: eSkeyId, value: eSkeyVal, signature: eSkeySig },
  }
}
