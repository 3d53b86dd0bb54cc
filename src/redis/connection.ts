import { setTimeout as sleep } from 'node:timers/promises'
import { SessionMemory } from '../core/session-memory.js'
import type { RedisClient } from './client.js'
import { loadScripts, type Scripts } from './scripts.js'

/** Longest wait for the answers that are still due when a connection is closed. */
const QUIT_MS = 1000

/** One client with its scripts, and what the process knows of the sessions that it has reached through it. */
export class RedisConnection {
  readonly client: RedisClient
  readonly scripts: Scripts
  readonly #memories = new Map<string, SessionMemory>()

  constructor(client: RedisClient) {
    this.client = client
    this.scripts = loadScripts(client)
  }

  /** Shared by all stores that put this before their keys: the same name is another session under another prefix. */
  memoryOf(prefix: string): SessionMemory {
    const memory = this.#memories.get(prefix) ?? new SessionMemory()
    this.#memories.set(prefix, memory)
    return memory
  }

  /** Waits for the answers under way, where the server still gives any. */
  async close(): Promise<void> {
    const { client } = this
    const waiting = new AbortController()
    if (client.status === 'ready') {
      const gaveUp = sleep(QUIT_MS, undefined, { signal: waiting.signal, ref: false })
      await Promise.race([client.quit(), gaveUp]).catch(() => {
        // It closes below all the same.
      })
      waiting.abort()
      gaveUp.catch(() => {})
    }
    client.disconnect()
  }
}
