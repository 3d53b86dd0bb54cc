import { randomBytes, randomInt } from 'node:crypto'
import { makePairedCreds } from '../test/support/baileys-values.js'

const base64 = (bytes: number): string => randomBytes(bytes).toString('base64')
const USED_MS = 1_760_000_000_000

/** A ratchet as libsignal keeps it: one chain that is sent on and one that is received on. */
function makeRatchet(): object {
  const chain = (chainType: number) => ({
    chainKey: { counter: randomInt(100), key: base64(32) },
    chainType,
    messageKeys: {},
  })
  return {
    registrationId: randomInt(16_380),
    currentRatchet: {
      ephemeralKeyPair: { pubKey: base64(33), privKey: base64(32) },
      lastRemoteEphemeralKey: base64(33),
      previousCounter: randomInt(100),
      rootKey: base64(32),
    },
    indexInfo: {
      baseKey: base64(33),
      baseKeyType: 2,
      closed: -1,
      used: USED_MS,
      created: USED_MS,
      remoteIdentityKey: base64(33),
    },
    _chains: { [base64(33)]: chain(1), [base64(33)]: chain(2) },
  }
}

/** A value of type `session` as Baileys writes it; each ratchet has about 1 KB. */
export function makeSession(ratchets = 1): object {
  const sessions = Array.from({ length: ratchets }, () => [base64(33), makeRatchet()] as const)
  return { _sessions: Object.fromEntries(sessions), version: 'v1' }
}

/** Different ones, that calls choose from. */
export function makeSessions(count: number, ratchets = 1): object[] {
  return Array.from({ length: count }, () => makeSession(ratchets))
}

/** What the first login writes at once. */
export const PRE_KEYS = 812

export function makePreKeys(count = PRE_KEYS): Record<string, object> {
  const pair = () => ({ private: randomBytes(32), public: randomBytes(32) })
  return Object.fromEntries(Array.from({ length: count }, (_, id) => [`${id + 1}`, pair()] as const))
}

/** Bytes of JSON, which grow with each message of the group that is skipped. */
export function makeSenderKey(): Buffer {
  const state = {
    senderKeyId: randomInt(2 ** 31),
    senderChainKey: { iteration: 100, seed: base64(32) },
    senderSigningKey: { public: base64(33) },
    senderMessageKeys: Array.from({ length: 20 }, (_, iteration) => ({ iteration, seed: base64(32) })),
  }
  return Buffer.from(JSON.stringify([state]))
}

/** The same for all contenders. */
export const CREDS = makePairedCreds()

/** Ids of chats, the same in every session of so many keys. */
export function idOf(n: number): string {
  return `${15_550_000_000 + n}.0`
}

export function randomIds(keys: number, count: number): string[] {
  const ids = new Set<string>()
  while (ids.size < count) ids.add(idOf(randomInt(keys)))
  return [...ids]
}

export function pick<T>(values: readonly T[]): T {
  return values[randomInt(values.length)] as T
}
