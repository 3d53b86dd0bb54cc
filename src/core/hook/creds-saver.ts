import { toBuffer } from '../bytes.js'
import { IdentityConflictError } from '../errors.js'
import { checkSavable, isPaired } from '../store/creds-shape.js'
import type { AuthenticationCreds } from './auth-types.js'

export interface CredsSaverOptions {
  sessionId: string
  /** The creds in the store. */
  stored: AuthenticationCreds
  /** The live creds, read at each save. */
  current: () => AuthenticationCreds
  /** Writes the result of `take`, and then calls `noteSaved`. */
  write: () => Promise<unknown>
  resetIdentity: boolean
}

/**
 * Saves the live creds. While one save is under way, any number of calls share one more. Creds whose save has failed
 * stay marked, so that the next write of keys includes them: keys must not run ahead of the creds.
 */
export class CredsSaver {
  readonly #options: CredsSaverOptions
  #stored: string | undefined
  #isPaired: boolean
  #running: Promise<void> | undefined
  #queued: Promise<void> | undefined
  #isUnsaved = false

  constructor(options: CredsSaverOptions) {
    this.#options = options
    this.#stored = fingerprint(options.stored)
    this.#isPaired = isPaired(options.stored)
  }

  /** The last save has failed, and no later one has succeeded. */
  get isUnsaved(): boolean {
    return this.#isUnsaved
  }

  /** The live creds are of another identity than the stored ones. */
  get isReplacing(): boolean {
    return this.#stored !== fingerprint(this.#options.current())
  }

  save(): Promise<void> {
    if (this.#queued) return this.#queued
    if (!this.#running) return this.#start()
    const next = () => this.#start()
    this.#queued = this.#running.then(next, next)
    return this.#queued
  }

  /** Waits for the saves under way, and repeats a failed one once. */
  async flush(): Promise<void> {
    await Promise.allSettled([this.#queued ?? this.#running])
    if (this.#isUnsaved) await this.save()
  }

  /**
   * The live creds, for a write of them and others. Throws `IdentityConflictError`, and `InvalidValueError` for other
   * values.
   */
  take(): AuthenticationCreds {
    const creds = this.#options.current()
    checkSavable(creds, this.#options.sessionId)
    if (this.isReplacing && this.#isPaired && !this.#options.resetIdentity)
      throw new IdentityConflictError({ sessionId: this.#options.sessionId })
    return creds
  }

  noteSaved(creds: AuthenticationCreds): void {
    this.#isUnsaved = false
    this.#stored = fingerprint(creds)
    this.#isPaired = isPaired(creds)
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
      await this.#options.write()
    } catch (error) {
      this.#isUnsaved = true
      throw error
    }
  }
}

/** `undefined` for values that are no creds, which `take` refuses. */
function fingerprint(creds: Partial<AuthenticationCreds> | null | undefined): string | undefined {
  const key: unknown = creds?.noiseKey?.public
  if (!ArrayBuffer.isView(key)) return undefined
  return `${creds?.registrationId} ${toBuffer(key as Uint8Array).toString('base64')}`
}
