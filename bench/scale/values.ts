import { randomBytes } from 'node:crypto'
import { makePairedCreds } from '../../test/support/baileys-values.js'

export function sessionIdOf(index: number): string {
  return `bot-${index}`
}

/** As WhatsApp names a device; `keys.get('session', …)` asks for it. */
export function addressOf(index: number): string {
  return `5511900${String(index).padStart(6, '0')}.0`
}

/** What libsignal makes of a conversation: about 1 KB, base64 for the most part. */
export function makeRecord(counter: number) {
  const key = (bytes = 32) => randomBytes(bytes).toString('base64')
  const chain = () => ({ chainKey: { counter, key: key() }, chainType: 1, messageKeys: {} })
  return {
    _sessions: {
      [key(33)]: {
        registrationId: 1234,
        currentRatchet: {
          ephemeralKeyPair: { pubKey: key(33), privKey: key() },
          lastRemoteEphemeralKey: key(33),
          previousCounter: counter,
          rootKey: key(),
        },
        indexInfo: {
          baseKey: key(33),
          baseKeyType: 1,
          closed: -1,
          used: 1,
          created: 1,
          remoteIdentityKey: key(33),
        },
        _chains: { [key(33)]: chain(), [key(33)]: chain(), [key(33)]: chain() },
      },
    },
    version: 'v1',
  }
}

/** One pairing, named for each session: making the keys of thousands would take longer than all the rest. */
const paired = makePairedCreds()

export function makeCreds(index: number) {
  const id = `5511900${String(index).padStart(6, '0')}:1@s.whatsapp.net`
  return { ...paired, me: { ...paired.me, id } }
}
