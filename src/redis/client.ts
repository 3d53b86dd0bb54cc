/** What a client is known by: a `Redis` or `Cluster` of ioredis 5 or 6. Their own types differ from line to line. */
export interface GivenRedis {
  readonly status: string
  defineCommand(name: string, definition: { lua: string }): void
  disconnect(): void
}

/** What is called of a client. */
export interface RedisClient {
  readonly status: string
  readonly options?: unknown
  /** Lists are one argument each: a call with a hundred thousand of them would overflow the stack. */
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
  ping(): Promise<string>
  info(): Promise<string>
  config(subcommand: 'GET', parameter: string): Promise<unknown>
  defineCommand(name: string, definition: { lua: string }): void
  get(key: string): Promise<string | null>
  set(key: string, value: string, unit: 'PX', ms: number, condition?: 'NX'): Promise<'OK' | null>
  select(database: number): Promise<unknown>
  once(event: 'ready', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  quit(): Promise<unknown>
  disconnect(): void
}

/** A cluster, whose commands go to the node that has the key. */
export interface RedisCluster extends RedisClient {
  nodes(role: 'master'): RedisClient[]
}

export function isCluster(client: RedisClient): client is RedisCluster {
  return typeof (client as Partial<RedisCluster>).nodes === 'function'
}

/** The nodes that between them hold every key, in a stable order. A cluster knows them once it has connected. */
export async function mastersOf(client: RedisClient): Promise<RedisClient[]> {
  if (!isCluster(client)) return [client]
  await client.ping()
  return client.nodes('master').sort((a, b) => (addressOf(a) < addressOf(b) ? -1 : 1))
}

function addressOf({ options }: RedisClient): string {
  const { host, port } = options as { host?: string; port?: number }
  return `${host}:${port}`
}

/** What the client puts before every key by itself; commands that return keys return it too. */
export function keyPrefixOf(client: RedisClient): string {
  return (client.options as { keyPrefix?: string } | undefined)?.keyPrefix ?? ''
}
