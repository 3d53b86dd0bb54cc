import type { ContenderName } from '../figures.js'

/** In a set, `null` deletes. */
export type Keys = Record<string, Record<string, object | null>>

/** One open session, as each contender offers it. */
export interface Bot {
  /** Values of type `session`; nothing in place of those that are not there. */
  get(ids: string[]): Promise<object>
  set(keys: Keys): Promise<unknown>
  saveCreds(): Promise<unknown>
  close(): Promise<unknown>
  /** Waits for what goes on after a write was acknowledged. */
  settle?(): Promise<unknown>
}

export interface Contender {
  readonly name: ContenderName
  /** Opens the session, and makes it where it is not there. */
  open(sessionId: string): Promise<Bot>
  /** Takes the session out of Redis, where MongoDB has it too. `false`: it was not there whole. */
  evict?(sessionId: string): Promise<boolean>
  close(): Promise<unknown>
}
