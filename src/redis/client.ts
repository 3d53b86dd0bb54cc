/** The part of a `Redis` or `Cluster` of ioredis 5 or 6 that both lines share: their own types differ. */
export interface GivenRedis {
  readonly status: string
  defineCommand(name: string, definition: { lua: string }): void
  disconnect(): void
}

/** What the library calls of a client. */
export interface RedisClient {
  readonly status: string
  readonly options?: unknown
  /** The fields are one argument: a call with a hundred thousand arguments would overflow the stack. */
  hmgetBuffer(key: string, fields: string[]): Promise<(Buffer | null)[]>
  hscanBuffer(
    key: string,
    cursor: string,
    option: 'COUNT',
    count: number,
  ): Promise<[cursor: Buffer, elements: Buffer[]]>
  hkeys(key: string): Promise<string[]>
  hmget(key: string, ...fields: string[]): Promise<(string | null)[]>
  scan(cursor: string, ...options: (string | number)[]): Promise<[cursor: string, elements: string[]]>
  type(key: string): Promise<string>
  pttl(key: string): Promise<number>
  pexpire(key: string, ms: number): Promise<number>
  ping(): Promise<string>
  info(): Promise<string>
  config(subcommand: 'GET', parameter: string): Promise<unknown>
  defineCommand(name: string, definition: { lua: string }): void
  get(key: string): Promise<string | null>
  set(key: string, value: string, unit: 'PX', ms: number, condition?: 'NX'): Promise<'OK' | null>
  select(database: number): Promise<unknown>
  connect(): Promise<unknown>
  once(event: 'ready' | 'end', listener: () => void): unknown
  on(event: 'error' | 'sentinelError', listener: (error: Error) => void): unknown
  on(event: 'ready', listener: () => void): unknown
  quit(): Promise<unknown>
  disconnect(): void
}

/** A cluster client sends each command to the node that has the key. */
export interface RedisCluster extends RedisClient {
  /** The nodes that it was given. */
  readonly startupNodes?: readonly Place[]
  nodes(role: 'master' | 'all'): RedisClient[]
}

export function isCluster(client: RedisClient): client is RedisCluster {
  return typeof (client as Partial<RedisCluster>).nodes === 'function'
}

/** The nodes that together hold every key, in a stable order. A cluster knows them once it is connected. */
export async function mastersOf(client: RedisClient): Promise<RedisClient[]> {
  if (!isCluster(client)) return [client]
  await client.ping()
  return client.nodes('master').sort((a, b) => (addressOf(a) < addressOf(b) ? -1 : 1))
}

interface Place {
  host?: string | undefined
  port?: number | undefined
  path?: string | undefined
  sentinels?: readonly Place[] | null | undefined
  tls?: object | null | undefined
}

function addressOf({ options }: RedisClient): string {
  return toAddress(options as Place)
}

const [PORT, SENTINEL_PORT] = [6379, 26379]

function toAddress({ host = 'localhost', port = PORT, path, tls }: Place): string {
  return `${path ?? `${host}:${port}`}${tls ? ' by TLS' : ''}`
}

/** The servers that the client connects to, for errors. */
export function addressesOf(client: RedisClient): string {
  if (isCluster(client)) {
    const known = client.nodes('all').map(addressOf)
    return (known.length > 0 ? known : (client.startupNodes ?? []).map(toAddress)).join(', ')
  }
  const place = (client.options ?? {}) as Place
  if (!place.sentinels) return toAddress(place)
  return `the Sentinels ${place.sentinels.map(({ host, port = SENTINEL_PORT }) => toAddress({ host, port })).join(', ')}`
}

/** The prefix that the client adds to every key. Commands that return keys return it too. */
export function keyPrefixOf(client: RedisClient): string {
  return (client.options as { keyPrefix?: string } | undefined)?.keyPrefix ?? ''
}
