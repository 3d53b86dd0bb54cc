export interface Stats {
  pairings: number
  logins: number
  /** Logins that closed an older connection of the same pairing. */
  conflicts: number
  /** The size of each upload. */
  preKeyUploads: number[]
  /** Key bundles handed out; each starts a new Signal session. */
  keyBundles: number
  /** Messages accepted from clients. */
  messages: number
  /** Messages that were waiting when their account logged in. */
  queuedMessages: number
  /** Receipts by which a client asks the sender to encrypt a message again. */
  retries: number
}

export function emptyStats(): Stats {
  return {
    pairings: 0,
    logins: 0,
    conflicts: 0,
    preKeyUploads: [],
    keyBundles: 0,
    messages: 0,
    queuedMessages: 0,
    retries: 0,
  }
}
