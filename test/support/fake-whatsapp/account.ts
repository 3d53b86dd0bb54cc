import type { Connection } from './connection.js'
import { Mailbox } from './mailbox.js'

export type Addressing = 'pn' | 'lid'

/** A person's two names: the phone number, and the number that stands for it where it is hidden. */
export interface AccountId {
  pn: string
  lid: string
}

export interface PreKey {
  id: Uint8Array
  value: Uint8Array
}

export interface DeviceKeys {
  /** The client's static Noise key. */
  noise: Buffer
  identity: Uint8Array
  registrationId: Uint8Array
  signedPreKey: PreKey & { signature: Uint8Array }
}

/** The one companion that every account has; its phone (device 0) takes no part. */
export const DEVICE = 1

/** An account with its paired device. Pairing anew makes a new one. */
export class Account {
  readonly id: AccountId
  readonly keys: DeviceKeys
  readonly preKeys: PreKey[] = []
  readonly mailbox = new Mailbox()
  connection: Connection | undefined

  constructor(id: AccountId, keys: DeviceKeys) {
    this.id = id
    this.keys = keys
  }

  userJid(addressing: Addressing): string {
    return addressing === 'lid' ? `${this.id.lid}@lid` : `${this.id.pn}@s.whatsapp.net`
  }

  deviceJid(addressing: Addressing): string {
    return addressing === 'lid' ? `${this.id.lid}:${DEVICE}@lid` : `${this.id.pn}:${DEVICE}@s.whatsapp.net`
  }
}

export function addressingOf(jid: string): Addressing {
  return jid.endsWith('@lid') ? 'lid' : 'pn'
}
