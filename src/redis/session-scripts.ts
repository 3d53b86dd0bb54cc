import type { Guard } from '../core/backend.js'
import type { Calls } from '../core/connection/calls.js'
import type { KeyNames } from './key-names.js'
import { about, toRefusal } from './redis-errors.js'
import { toReply } from './replies.js'
import type { Argument, Reply, RunScript } from './scripts.js'

export interface SessionScriptsOptions {
  names: KeyNames
  calls: Calls
  /** Replaces the server's clock. */
  now?: (() => number) | undefined
}

/** Runs scripts that begin with lua/session.lua. Throws a refusal as the error that it stands for. */
export class SessionScripts {
  readonly #names: KeyNames
  readonly #calls: Calls
  readonly #now: (() => number) | undefined

  constructor({ names, calls, now }: SessionScriptsOptions) {
    this.#names = names
    this.#calls = calls
    this.#now = now
  }

  async run(
    script: RunScript,
    sessionId: string,
    input: readonly Argument[],
    guard: Guard = {},
  ): Promise<Reply> {
    const reply = await this.try(script, sessionId, input)
    if (reply[0] === 0) throw toRefusal(sessionId, guard, reply)
    return reply
  }

  /** Returns a refusal as it is. */
  async try(script: RunScript, sessionId: string, input: readonly Argument[]): Promise<Reply> {
    const keys = this.#names.of(sessionId)
    // The scripts themselves report damage of the other two keys.
    const running = this.#calls.run(() => script(keys, [this.#now?.() ?? '', ...input]))
    return toReply(await running.catch(error => about(sessionId, error, keys[2])))
  }
}
