import type { AuthenticationCreds } from './auth-types.js'
import { checkSavable } from './creds-shape.js'
import { IdentityConflictError } from './errors.js'

export interface CredsSaverOptions {
  sessionId: string
  /** What is stored already. */
  stored: AuthenticationCreds
  /** The live creds, read at each save. */
  current: () => AuthenticationCreds
  write: (creds: AuthenticationCreds) => Promise<unknown>
  resetIdentity: boolean
}

/**
 * Saves the live creds. While one save is under way, any number of calls wait for one more. Creds whose save has
 * failed stay marked, so that the next write of keys can take them along: keys must not run ahead of the creds.
 */
export class CredsSaver {
  readonly #options: CredsSaverOptions
  #storedIdentity: string | undefined
  #running: Promise<void> | undefined
  #queued: Promise<void> | undefined
  #isUnsaved = false

  constructor(options: CredsSaverOptions) {
    this.#options = options
    this.#storedIdentity = identify(options.stored)
  }

  /** The last save has failed, and no later one has succeeded. */
  get isUnsaved(): boolean {
    return this.#isUnsaved
  }

  save(): Promise<void> {
    if (this.#queued) return this.#queued
    if (!this.#running) return this.#start()
    const next = () => this.#start()
    this.#queued = this.#running.then(next, next)
    return this.#queued
  }

  /** Waits for the saves under way and tries once more what has failed. */
  async flush(): Promise<void> {
    await Promise.allSettled([this.#queued ?? this.#running])
    if (this.#isUnsaved) await this.save()
  }

  /** The live creds, to write them along with something else; throws `IdentityConflictError`, and for what are no creds. */
  take(): AuthenticationCreds {
    const creds = this.#options.current()
    checkSavable(creds, this.#options.sessionId)
    const isOther = this.#storedIdentity !== undefined && this.#storedIdentity !== fingerprint(creds)
    if (isOther && !this.#options.resetIdentity)
      throw new IdentityConflictError({ sessionId: this.#options.sessionId })
    return creds
  }

  noteSaved(creds: AuthenticationCreds): void {
    this.#isUnsaved = false
    this.#storedIdentity = identify(creds)
  }

  markUnsaved(): void {
    this.#isUnsaved = true
  }

  #start(): Promise<void> {
    this.#queued = undefined
    this.#running = this.#write().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #write(): Promise<void> {
    try {
      const creds = this.take()
      await this.#options.write(creds)
      this.noteSaved(creds)
    } catch (error) {
      this.#isUnsaved = true
      throw error
    }
  }
}

/** Names the pairing of paired creds; `undefined` for creds that are not paired yet. */
function identify(creds: AuthenticationCreds): string | undefined {
  return creds.me !== undefined || creds.registered === true ? fingerprint(creds) : undefined
}

function fingerprint({ noiseKey, registrationId }: AuthenticationCreds): string {
  return `${registrationId} ${Buffer.from(noiseKey.public).toString('base64')}`
}
