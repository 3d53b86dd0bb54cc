import { Curve, initAuthCreds, proto, signedKeyPair } from '@whiskeysockets/baileys'

/** A number above 2^53, which only a Long holds whole. */
const TIMESTAMP = '9007199254740995'

/** What reaches `keys.set`, by type, as Baileys 7.0.0-rc14 makes it. */
export function makeBaileysValues(): Record<string, unknown> {
  return {
    'pre-key': Curve.generateKeyPair(),
    session: {
      _sessions: {
        BQ3x: {
          registrationId: 1234,
          currentRatchet: { ephemeralKeyPair: { pubKey: 'BWFh', privKey: 'YWE=' }, previousCounter: 0 },
          indexInfo: { baseKey: 'BWJi', closed: -1, used: 1_760_000_000_000, created: 1_760_000_000_000 },
          _chains: { BWNj: { chainKey: { counter: 3, key: 'a2V5' }, messageKeys: { 2: 'bWs=' } } },
        },
      },
      version: 'v1',
    },
    'sender-key': Buffer.from(JSON.stringify([{ senderKeyId: 7, senderMessageKeys: [] }])),
    'sender-key-memory': { '15550001111:2@s.whatsapp.net': true, '123456@lid': false },
    'app-state-sync-key': makeAppStateSyncKey(),
    'app-state-sync-version': {
      version: 12,
      hash: Buffer.alloc(128, 7),
      indexValueMap: { 'bWFj+/=': { valueMac: Buffer.alloc(32, 1) }, bWFk: { valueMac: new Uint8Array(32) } },
    },
    'lid-mapping': '123456789',
    'device-list': ['15550001111', '15550001111:2'],
    tctoken: { token: Buffer.from([1, 2, 3]), timestamp: '1760000000' },
    'identity-key': new Uint8Array(33).fill(5),
  }
}

export function makeAppStateSyncKey(): proto.Message.AppStateSyncKeyData {
  return proto.Message.AppStateSyncKeyData.fromObject({
    keyData: Buffer.alloc(32, 9),
    fingerprint: { rawId: 4, currentIndex: 1, deviceIndexes: [0, 1] },
    timestamp: TIMESTAMP,
  })
}

/** Creds as they are after pairing by QR code. */
export function makePairedCreds(me = '15550001111:1@s.whatsapp.net') {
  const creds = initAuthCreds()
  return {
    ...creds,
    me: { id: me, lid: '123456:1@lid', name: 'Bot' },
    account: proto.ADVSignedDeviceIdentity.fromObject({
      details: Buffer.from('details'),
      accountSignatureKey: Buffer.alloc(32, 1),
      accountSignature: Buffer.alloc(64, 2),
      deviceSignature: Buffer.alloc(64, 3),
    }),
    signalIdentities: [
      { identifier: { name: me, deviceId: 0 }, identifierKey: Buffer.alloc(33, 5) },
      { identifier: { name: '123456@lid', deviceId: 0 }, identifierKey: new Uint8Array(33).fill(6) },
    ],
    signedPreKey: { ...signedKeyPair(creds.signedIdentityKey, 2), timestampS: 1_760_000_000 },
    platform: 'android',
    routingInfo: Buffer.from([8, 2, 8, 5]),
    lastAccountSyncTimestamp: 1_760_000_000,
    myAppStateKeyId: 'AAAAAA==',
    registered: true,
  }
}
