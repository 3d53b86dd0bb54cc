import { Redis } from 'ioredis'
import type { Bot, Contender, Keys } from './bot.js'
import { type Bytes, Envelopes, parseAll } from './envelopes.js'
import type { Place } from './place.js'

/** The same bytes into the same two hashes, and a version that grows: what no store on two hashes can do without. */
const WRITE = `
local version = redis.call('HINCRBY', KEYS[1], 'version', 1)
redis.call('HSET', KEYS[2], '@version', version)
if #ARGV > 0 then redis.call('HSET', KEYS[2], unpack(ARGV)) end
return version`
const SAVE_CREDS = `
redis.call('HSET', KEYS[1], 'data', ARGV[1])
return redis.call('HINCRBY', KEYS[1], 'version', 1)`
const OPEN = `
return {redis.call('HINCRBY', KEYS[1], 'fence', 1), redis.call('HGET', KEYS[1], 'data')}`

interface RawClient {
  rawWrite(creds: string, keys: string, pairs: (string | Buffer)[]): Promise<number>
  rawSaveCreds(creds: string, data: Buffer): Promise<number>
  rawOpenBuffer(creds: string): Promise<[number, Buffer | null]>
}

export async function createRawRedis({ redisUrl }: Place, given?: Bytes): Promise<Contender> {
  const values: Bytes = given ?? (await Envelopes.create())
  const redis = new Redis(redisUrl)
  redis.defineCommand('rawWrite', { lua: WRITE, numberOfKeys: 2 })
  redis.defineCommand('rawSaveCreds', { lua: SAVE_CREDS, numberOfKeys: 1 })
  redis.defineCommand('rawOpen', { lua: OPEN, numberOfKeys: 1 })
  const client = redis as unknown as Redis & RawClient
  return {
    name: values.name,
    async open(sessionId): Promise<Bot> {
      const creds = `${values.name}:{${sessionId}}:creds`
      const keys = `${values.name}:{${sessionId}}:keys`
      await client.rawOpenBuffer(creds)
      return {
        async get(ids) {
          return parseAll(values, await client.hmgetBuffer(keys, ...ids.map(id => `session:${id}`)))
        },
        async set(written) {
          const { pairs, gone } = toFields(written, values)
          if (gone.length > 0) await client.hdel(keys, ...gone)
          else await client.rawWrite(creds, keys, pairs)
        },
        saveCreds: () => client.rawSaveCreds(creds, values.creds),
        close: async () => {},
      }
    },
    close: async () => client.disconnect(),
  }
}

function toFields(keys: Keys, bytes: Bytes) {
  const pairs: (string | Buffer)[] = []
  const gone: string[] = []
  for (const [type, values] of Object.entries(keys)) {
    for (const [id, value] of Object.entries(values)) {
      if (value === null) gone.push(`${type}:${id}`)
      else pairs.push(`${type}:${id}`, bytes.of(value))
    }
  }
  return { pairs, gone }
}
