/**
 * Baileys' `AuthenticationState`, spelled out so that the declarations depend on neither of its two packages.
 * `test/types` compares it with `@whiskeysockets/baileys` and `baileys`.
 */

export interface KeyPair {
  public: Uint8Array
  private: Uint8Array
}

export interface SignedKeyPair {
  keyPair: KeyPair
  signature: Uint8Array
  keyId: number
  timestampS?: number
}

export interface AuthenticationCreds {
  readonly noiseKey: KeyPair
  readonly pairingEphemeralKeyPair: KeyPair
  readonly signedIdentityKey: KeyPair
  readonly signedPreKey: SignedKeyPair
  readonly registrationId: number
  advSecretKey: string
  me?: { id: string; lid?: string; name?: string }
  platform?: string
  firstUnuploadedPreKeyId: number
  nextPreKeyId: number
  accountSyncCounter: number
  registered: boolean
  pairingCode: string | undefined
  lastPropHash: string | undefined
  routingInfo: Buffer | undefined
  accountSettings: { unarchiveChats: boolean }
  // biome-ignore lint/suspicious/noExplicitAny: messages, whose type only Baileys can name
  processedHistoryMessages: any[]
  // biome-ignore lint/suspicious/noExplicitAny: the rest of the creds is Baileys' own matter
  [more: string]: any
}

export interface SignalDataTypeMap {
  'pre-key': KeyPair
  session: Uint8Array
  'sender-key': Uint8Array
  'sender-key-memory': { [jid: string]: boolean }
  // biome-ignore lint/suspicious/noExplicitAny: a protobuf message whose type only Baileys can name
  'app-state-sync-key': any
  'app-state-sync-version': {
    version: number
    hash: Buffer
    indexValueMap: { [mac: string]: { valueMac: Uint8Array | Buffer } }
  }
  'lid-mapping': string
  'device-list': string[]
  tctoken: { token: Buffer; timestamp?: string; senderTimestamp?: number }
  'identity-key': Uint8Array
}

export type SignalDataSet = {
  [T in keyof SignalDataTypeMap]?: { [id: string]: SignalDataTypeMap[T] | null }
}

/** Baileys' `SignalKeyStore`, with the iteration that its next release asks for. */
export interface SignalKeyStore {
  get<T extends keyof SignalDataTypeMap>(
    type: T,
    ids: string[],
  ): Promise<{ [id: string]: SignalDataTypeMap[T] }>
  /** Writes all types in one atomic write. */
  set(data: SignalDataSet): Promise<void>
  /** Deletes every key; the creds stay. */
  clear(): Promise<void>
  list<T extends keyof SignalDataTypeMap>(type: T): AsyncIterable<[id: string, value: SignalDataTypeMap[T]]>
  listIds(type: keyof SignalDataTypeMap): AsyncIterable<string>
}

export interface AuthenticationState {
  creds: AuthenticationCreds
  keys: SignalKeyStore
}
