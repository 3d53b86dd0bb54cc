import { StandInError } from './stand-in-error.js'

export type RedisReply = number | string | Buffer | null | RedisReply[]
/** Text of one byte a character, so that it is a key of a map and loses nothing. */
type Bytes = string
type Hash = Map<Bytes, Bytes>

interface Stored {
  value: Hash | Bytes
  /** `Infinity`: never. */
  expiresAtMs: number
}

const NEVER = Number.POSITIVE_INFINITY

/** What one Redis holds, and the commands that the library uses of it: what lua/*.lua and the client call. */
export class RedisMemory {
  #keys = new Map<Bytes, Stored>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  run(name: string, ...input: (Bytes | number)[]): RedisReply {
    const [first = '', ...rest] = input.map(String)
    switch (name.toUpperCase()) {
      case 'TIME': {
        const nowMs = this.#now()
        return [String(Math.floor(nowMs / 1000)), String((nowMs % 1000) * 1000)]
      }
      case 'EXISTS':
        return this.#find(first) ? 1 : 0
      case 'DEL':
      case 'UNLINK':
        return [first, ...rest].filter(key => this.#keys.delete(key)).length
      case 'PEXPIRE':
        return this.#expire(first, this.#now() + Number(rest[0]))
      case 'PERSIST':
        return this.#expire(first, NEVER)
      case 'GET':
        return toReply(this.#find(first)?.value as Bytes | undefined)
      case 'SET':
        return this.#set(first, rest)
      case 'HEXISTS':
        return this.#hash(first).has(rest[0] ?? '') ? 1 : 0
      case 'HGET':
        return toReply(this.#hash(first).get(rest[0] ?? ''))
      case 'HMGET':
        return rest.map(field => toReply(this.#hash(first).get(field)))
      case 'HSET':
        return this.#hset(first, rest)
      case 'HDEL':
        return this.#hdel(first, rest)
      case 'HLEN':
        return this.#hash(first).size
      case 'HKEYS':
        return [...this.#hash(first).keys()].map(toReply)
      case 'HVALS':
        return [...this.#hash(first).values()].map(toReply)
      case 'HGETALL':
        return [...this.#hash(first)].flatMap(([field, value]) => [toReply(field), toReply(value)])
      case 'SCAN':
        return ['0', [...this.#keys.keys()].filter(key => this.#find(key)).map(toReply)]
      default:
        throw new StandInError(`the stand-in does not know ${name}`)
    }
  }

  /** Everything as it is now; `restore` puts it back. */
  snapshot(): ReadonlyMap<Bytes, Stored> {
    return structuredClone(this.#keys)
  }

  restore(snapshot: ReadonlyMap<Bytes, Stored>): void {
    this.#keys = structuredClone(snapshot) as Map<Bytes, Stored>
  }

  /** Names of the keys that are there. */
  keys(): string[] {
    return [...this.#keys.keys()].filter(key => this.#find(key))
  }

  #find(key: Bytes): Stored | undefined {
    const stored = this.#keys.get(key)
    if (stored === undefined || stored.expiresAtMs > this.#now()) return stored
    this.#keys.delete(key)
    return undefined
  }

  #hash(key: Bytes): Hash {
    return (this.#find(key)?.value as Hash | undefined) ?? new Map()
  }

  #set(key: Bytes, [value = '', ...options]: Bytes[]): RedisReply {
    if (options.includes('NX') && this.#find(key)) return null
    const lifeMs = options[0] === 'PX' ? Number(options[1]) : NEVER
    this.#keys.set(key, { value, expiresAtMs: this.#now() + lifeMs })
    return 'OK'
  }

  #hset(key: Bytes, pairs: Bytes[]): number {
    const hash = this.#hash(key)
    const before = hash.size
    for (let i = 0; i < pairs.length; i += 2) hash.set(pairs[i] as Bytes, pairs[i + 1] as Bytes)
    if (!this.#keys.has(key)) this.#keys.set(key, { value: hash, expiresAtMs: NEVER })
    return hash.size - before
  }

  #hdel(key: Bytes, fields: Bytes[]): number {
    const hash = this.#hash(key)
    const count = fields.filter(field => hash.delete(field)).length
    if (hash.size === 0) this.#keys.delete(key)
    return count
  }

  #expire(key: Bytes, atMs: number): number {
    const stored = this.#find(key)
    if (stored === undefined) return 0
    stored.expiresAtMs = atMs
    return 1
  }
}

function toReply(bytes: Bytes | undefined): Buffer | null {
  return bytes === undefined ? null : Buffer.from(bytes, 'latin1')
}
