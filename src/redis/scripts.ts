import type { RedisClient } from './client.js'
import claim from './lua/claim.lua'
import commit from './lua/commit.lua'
import remove from './lua/delete.lua'
import lease from './lua/lease.lua'
import read from './lua/read.lua'
import session from './lua/session.lua'
import touch from './lua/touch.lua'

/** The two hashes of a session lie in one slot. */
export type SessionKeys = readonly [creds: string, keys: string]
export type Argument = string | number | Uint8Array

/** `1` and what the script found or did; `0`, why it refused, and the actual value. Strings are Buffers. */
export type Reply = [1, ...unknown[]] | [0, reason: Buffer, actual: number]
type Run = (keys: SessionKeys, input: readonly Argument[]) => Promise<Reply>

const SOURCES = { commit, delete: remove, claim, lease, touch, read }
export type Scripts = Record<keyof typeof SOURCES, Run>

/** ioredis sends the script's hash, and its text to a server that does not know it (NOSCRIPT). */
export function loadScripts(client: RedisClient): Scripts {
  const entries = Object.entries(SOURCES).map(([name, source]): [string, Run] => {
    const command = `baileysStore_${name}`
    client.defineCommand(command, { lua: `${session}\n${source}`, numberOfKeys: 2 })
    return [name, (keys, input) => callScript(client, command, [...keys, ...input])]
  })
  return Object.fromEntries(entries) as Scripts
}

/** The arguments as one list: so many that are spread would overflow the stack. */
function callScript(client: RedisClient, command: string, input: Argument[]): Promise<Reply> {
  const commands = client as unknown as Record<string, (input: Argument[]) => Promise<Reply>>
  return (commands[`${command}Buffer`] as (input: Argument[]) => Promise<Reply>).call(client, input)
}
