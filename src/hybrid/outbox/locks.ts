import { randomUUID } from 'node:crypto'
import type { RedisClient } from '../../redis/client.js'
import { defineScripts, type RunScript } from '../../redis/scripts.js'
import extend from './lua/extend.lua'
import unlock from './lua/unlock.lua'

const SOURCES = { unlock, extend }

/** Locks that end by themselves: of all processes on the same Redis, one holds each. */
export class Locks {
  readonly #client: RedisClient
  readonly #send: <T>(call: () => Promise<T>) => Promise<T>
  readonly #scripts: Record<keyof typeof SOURCES, RunScript>
  readonly #holder = randomUUID()

  constructor(client: RedisClient, send: <T>(call: () => Promise<T>) => Promise<T>) {
    this.#client = client
    this.#send = send
    this.#scripts = defineScripts(client, SOURCES)
  }

  /** Takes a lock for `lifeMs`; `false`: another process holds it. */
  async take(name: string, lifeMs: number): Promise<boolean> {
    if ((await this.#send(() => this.#client.set(name, this.#holder, 'PX', lifeMs, 'NX'))) !== null)
      return true
    // A lock without an end is foreign, and would hold up every process forever.
    if ((await this.#send(() => this.#client.pttl(name))) === -1)
      await this.#send(() => this.#client.pexpire(name, lifeMs))
    return false
  }

  /** Makes a lock of this process end `lifeMs` from now. */
  async extend(name: string, lifeMs: number): Promise<void> {
    await this.#send(() => this.#scripts.extend([name], [this.#holder, Math.ceil(lifeMs)]))
  }

  /** Runs `action` under a lock that ends after at most `lifeMs`; `false`: another process holds it. */
  async run(name: string, lifeMs: number, action: () => Promise<void>): Promise<boolean> {
    if (!(await this.take(name, lifeMs))) return false
    try {
      await action()
    } finally {
      await this.#send(() => this.#scripts.unlock([name], [this.#holder])).catch(() => {}) // it ends by itself
    }
    return true
  }
}
