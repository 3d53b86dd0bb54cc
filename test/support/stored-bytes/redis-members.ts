import type { Redis } from 'ioredis'
import type { KeyNames } from '../../../src/redis/key-names.js'
import type { StoredMember, StoredMembers } from './stored-member.js'

/** Members that a head may have and has not always. */
const MORE = ['vacant', 'leaseUntil', 'expiresAt', 'journalUntil', 'createdAt', 'claim']
const ENDS = ['vacant', 'expiresAt']

/** Every field of the hashes of a session, their names, the types of the keys, and the members of what waits. */
export function redisMembers(client: Redis, names: KeyNames): StoredMembers {
  async function ofKey(key: string, part: 'head' | 'keys' | 'outbox'): Promise<StoredMember[]> {
    const stored = await client.hgetallBuffer(key)
    const present = Object.keys(stored)
    if (present.length === 0) return []
    const fields = part === 'head' ? new Set([...present, ...MORE]) : present
    const members = [...fields].flatMap((field): StoredMember[] => {
      const name = `${field} of the ${part}`
      const value = stored[field]
      const put = (damaged: unknown) =>
        damaged === undefined ? client.hdel(key, field) : client.hset(key, field, toBytes(damaged))
      const rename = async (damaged: unknown) => {
        await client.hdel(key, field)
        if (damaged !== undefined) await client.hset(key, toBytes(damaged), value as Buffer)
      }
      const isEnd = part === 'head' && ENDS.includes(field)
      const holds = isEnd
        ? 'life'
        : part === 'head' && field === 'data'
          ? 'creds'
          : part === 'keys' && !field.startsWith('@')
            ? 'value'
            : 'state'
      const member: StoredMember = { name, holds, value, put }
      if (value === undefined) return [member]
      const named: StoredMember = { name: `the name ${name}`, holds: 'state', value: field, put: rename }
      return [member, named, ...(part === 'outbox' ? ofEntry(field, value, put) : [])]
    })
    return [...members, ofType(key, part)]
  }

  function ofType(key: string, part: string): StoredMember {
    async function put(damaged: unknown): Promise<void> {
      await client.del(key)
      if (damaged === undefined) return
      if (typeof damaged === 'number') await client.zadd(key, 1, 'foreign')
      else if (Buffer.isBuffer(damaged)) await client.set(key, damaged)
      else if (typeof damaged === 'string') await client.rpush(key, damaged)
      else await client.sadd(key, 'foreign')
    }
    return { name: `the key of the ${part}`, holds: 'state', value: undefined, put }
  }

  return {
    async of(sessionId) {
      const [head, keys, outbox] = names.of(sessionId) as [string, string, string?]
      const waiting = outbox === undefined ? [] : await ofKey(outbox, 'outbox')
      return [...(await ofKey(head, 'head')), ...(await ofKey(keys, 'keys')), ...waiting]
    },
    clear: sessionId => client.del(...names.of(sessionId).filter(key => key !== undefined)),
  }
}

/** An entry of an outbox is JSON. */
function ofEntry(version: string, json: Buffer, put: StoredMember['put']): StoredMember[] {
  const entry = JSON.parse(json.toString())
  return Object.entries(entry).map(([member, value]) => ({
    name: `${member} of the entry ${version}`,
    holds: member === 'patch' ? 'value' : 'state',
    value,
    put: damaged =>
      put(
        JSON.stringify({
          ...entry,
          [member]: Buffer.isBuffer(damaged) ? damaged.toString('base64') : damaged,
        }),
      ),
  }))
}

function toBytes(damaged: unknown): Buffer | string {
  if (Buffer.isBuffer(damaged) || typeof damaged === 'string') return damaged
  if (damaged instanceof Date) return String(damaged.getTime())
  return typeof damaged === 'object' ? JSON.stringify(damaged) : String(damaged)
}
