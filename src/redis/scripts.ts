import { createHash } from 'node:crypto'
import { toBuffer } from '../core/bytes.js'
import type { RedisClient } from './client.js'
import claim from './lua/claim.lua'
import commit from './lua/commit.lua'
import remove from './lua/delete.lua'
import history from './lua/history.lua'
import lease from './lua/lease.lua'
import packed from './lua/packed.lua'
import read from './lua/read.lua'
import session from './lua/session.lua'
import summary from './lua/summary.lua'
import touch from './lua/touch.lua'

/** The keys of a session, all in one slot. Only the hybrid store has an outbox. */
export type SessionKeys = readonly [creds: string, keys: string, outbox?: string]
export type Argument = string | number | Uint8Array

/**
 * Most arguments of a command, besides those that name a script and its keys: ElastiCache Serverless refuses a command
 * with 4,000.
 */
export const MAX_ARGUMENTS = 3000

/**
 * `1` and the results of the script; or `0`, the reason of a refusal, and the actual value. Strings are Buffers, and
 * numbers may be text: replies.ts reads them.
 */
export type Reply = [1, ...unknown[]] | [0, reason: unknown, actual: unknown]
export type RunScript = (keys: readonly (string | undefined)[], input: readonly Argument[]) => Promise<Reply>

const SOURCES = withSession({ commit, delete: remove, claim, lease, touch, read, history, summary })
export type Scripts = Record<keyof typeof SOURCES, RunScript>

/** The scripts of every store on Redis. */
export function loadScripts(client: RedisClient): Scripts {
  return defineScripts(client, SOURCES)
}

/** Puts lua/session.lua in front of each script. */
export function withSession<N extends string>(sources: Record<N, string>): Record<N, string> {
  const entries = Object.entries<string>(sources)
  return Object.fromEntries(entries.map(([name, source]) => [name, `${session}\n${source}`])) as Record<
    N,
    string
  >
}

/**
 * ioredis sends the script's hash, and its text to a server that does not know it (NOSCRIPT). The name of the command
 * depends on the text, because a client may be shared with another version of this library.
 */
export function defineScripts<N extends string>(
  client: RedisClient,
  sources: Record<N, string>,
): Record<N, RunScript> {
  const entries = Object.entries<string>(sources).map(([name, lua]): [string, RunScript] => {
    const command = define(client, name, lua)
    let commandOfPacked: string | undefined
    const run: RunScript = (keys, input) => {
      if (input.length <= MAX_ARGUMENTS) return callScript(client, command, keys, input)
      commandOfPacked ??= define(client, `${name}_packed`, `${packed}\n${lua}`)
      return callScript(client, commandOfPacked, keys, pack(input))
    }
    return [name, run]
  })
  return Object.fromEntries(entries) as Record<N, RunScript>
}

function define(client: RedisClient, name: string, lua: string): string {
  const command = `baileysStore_${name}_${hash(lua)}`
  client.defineCommand(command, { lua })
  return command
}

/** By the script's text: a process that opens many stores hashes each script once. */
const hashes = new Map<string, string>()

function hash(lua: string): string {
  const known = hashes.get(lua)
  if (known) return known
  const made = createHash('sha1').update(lua).digest('hex').slice(0, 8)
  hashes.set(lua, made)
  return made
}

/** Packs arguments for lua/packed.lua. */
function pack(input: readonly Argument[]): Argument[] {
  const parts = input.map(part => (part instanceof Uint8Array ? toBuffer(part) : Buffer.from(`${part}`)))
  return [parts.map(part => part.length).join(), Buffer.concat(parts)]
}

/** Passes the arguments as one list: spreading very many would overflow the stack. */
function callScript(
  client: RedisClient,
  command: string,
  keys: readonly (string | undefined)[],
  input: readonly Argument[],
): Promise<Reply> {
  const commands = client as unknown as Record<string, (input: Argument[]) => Promise<Reply>>
  const run = commands[`${command}Buffer`] as (input: Argument[]) => Promise<Reply>
  return run.call(client, [keys.length, ...(keys as string[]), ...input])
}
