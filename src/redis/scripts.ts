import type { RedisClient } from './client.js'
import claim from './lua/claim.lua'
import commit from './lua/commit.lua'
import remove from './lua/delete.lua'
import history from './lua/history.lua'
import lease from './lua/lease.lua'
import read from './lua/read.lua'
import session from './lua/session.lua'
import touch from './lua/touch.lua'

/** All in one slot. The outbox is there where MongoDB lies behind. */
export type SessionKeys = readonly [creds: string, keys: string, outbox?: string]
export type Argument = string | number | Uint8Array

/** `1` and what the script found or did; `0`, why it refused, and the actual value. Strings are Buffers. */
export type Reply = [1, ...unknown[]] | [0, reason: Buffer, actual: number]
export type RunScript = (keys: readonly (string | undefined)[], input: readonly Argument[]) => Promise<Reply>

const SOURCES = { commit, delete: remove, claim, lease, touch, read, history }
export type Scripts = Record<keyof typeof SOURCES, RunScript>

/** Those of every store on Redis. */
export function loadScripts(client: RedisClient): Scripts {
  return defineScripts(client, withSession(SOURCES))
}

/** Begins each with what a session is; see lua/session.lua. */
export function withSession<N extends string>(sources: Record<N, string>): Record<N, string> {
  const entries = Object.entries<string>(sources)
  return Object.fromEntries(entries.map(([name, source]) => [name, `${session}\n${source}`])) as Record<
    N,
    string
  >
}

/** ioredis sends the script's hash, and its text to a server that does not know it (NOSCRIPT). */
export function defineScripts<N extends string>(
  client: RedisClient,
  sources: Record<N, string>,
): Record<N, RunScript> {
  const entries = Object.entries<string>(sources).map(([name, lua]): [string, RunScript] => {
    const command = `baileysStore_${name}`
    client.defineCommand(command, { lua })
    return [
      name,
      (keys, input) => callScript(client, command, [keys.length, ...(keys as string[]), ...input]),
    ]
  })
  return Object.fromEntries(entries) as Record<N, RunScript>
}

/** The arguments as one list: so many that are spread would overflow the stack. */
function callScript(client: RedisClient, command: string, input: Argument[]): Promise<Reply> {
  const commands = client as unknown as Record<string, (input: Argument[]) => Promise<Reply>>
  return (commands[`${command}Buffer`] as (input: Argument[]) => Promise<Reply>).call(client, input)
}
