import type { RedisClient } from '../../../src/redis/client.js'
import { atOnce, type Deliver } from './deliver.js'
import { LuaMachine, type RunLua } from './lua.js'
import type { RedisMemory, RedisReply } from './redis-memory.js'

const machine = new LuaMachine()
const compiled = new Map<string, RunLua>()

/** A client of the one above; as many as are made share what it holds. */
export function createRedisStandIn(memory: RedisMemory, deliver: Deliver = atOnce): RedisClient {
  const run = (name: string, ...input: (string | number)[]) =>
    deliver(name, () => memory.run(name, ...input.map(toBytes)))
  const texts = (reply: RedisReply) => (reply as (Buffer | null)[]).map(value => value?.toString() ?? null)

  const client: RedisClient & Record<string, unknown> = {
    status: 'ready',
    options: {},
    hmgetBuffer: async (key, fields) => (await run('HMGET', key, ...fields)) as (Buffer | null)[],
    hscanBuffer: async key => [Buffer.from('0'), (await run('HGETALL', key)) as Buffer[]],
    hkeys: async key => texts(await run('HKEYS', key)) as string[],
    hmget: async (key, ...fields) => texts(await run('HMGET', key, ...fields)),
    async scan(_cursor, ...options) {
      const [, keys] = (await run('SCAN')) as [string, Buffer[]]
      const pattern = toPattern(String(options[1]))
      return ['0', (texts(keys) as string[]).filter(key => pattern.test(key))]
    },
    get: async key => (await run('GET', key))?.toString() ?? null,
    set: async (...input) => (await run('SET', ...input.filter(one => one !== undefined))) as 'OK' | null,
    // No lock is without an end here.
    pttl: () => deliver('PTTL', () => 1),
    pexpire: () => deliver('PEXPIRE', () => 1),
    ping: () => deliver('PING', () => 'PONG'),
    info: () => deliver('INFO', () => ''),
    config: () => deliver('CONFIG', () => []),
    defineCommand(name, { lua: source }) {
      const script = compiled.get(source) ?? machine.compile(source)
      compiled.set(source, script)
      client[`${name}Buffer`] = ([count, ...input]: (string | number | Uint8Array)[]) => {
        const values = input.map(toBytes)
        const [keys, argv] = [values.slice(0, Number(count)), values.slice(Number(count))]
        const what = name.replace(/^baileysStore_|_[0-9a-f]{8}$/g, '')
        return deliver(what, () => toBuffers(script(keys, argv, (...call) => memory.run(...call))))
      }
    },
    select: () => deliver('SELECT', () => 'OK'),
    connect: async () => {},
    once() {},
    type: async () => 'none',
    on() {},
    quit: async () => 'OK',
    disconnect() {},
  }
  return client
}

/** The scripts' own text is bytes, one a character. */
function toBytes(value: string | number | Uint8Array): string {
  if (typeof value === 'number') return String(value)
  return Buffer.from(value as string).toString('latin1')
}

function toBuffers(reply: RedisReply): RedisReply {
  if (typeof reply === 'string') return Buffer.from(reply, 'latin1')
  return Array.isArray(reply) ? reply.map(toBuffers) : reply
}

/** Of SCAN's patterns: `*`, and characters that a backslash stands before. */
function toPattern(glob: string): RegExp {
  const source = glob.replace(/\\(.)|(\*)|([^\\*])/g, (_, escaped, star, plain) =>
    star ? '.*' : (escaped ?? plain).replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
  )
  return new RegExp(`^${source}$`, 's')
}
