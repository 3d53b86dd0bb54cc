/** What is called of a client: `Redis` and `Cluster` of ioredis 5 and 6 have it. */
export interface RedisClient {
  readonly status: string
  readonly options?: unknown
  hmgetBuffer(key: string, ...fields: string[]): Promise<(Buffer | null)[]>
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
  info(section: string): Promise<string>
  config(subcommand: 'GET', parameter: string): Promise<unknown>
  defineCommand(name: string, definition: { lua: string; numberOfKeys: number }): void
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

/** The nodes that between them hold every key. */
export function mastersOf(client: RedisClient): RedisClient[] {
  return isCluster(client) ? client.nodes('master') : [client]
}

/** What the client puts before every key by itself; commands that return keys return it too. */
export function keyPrefixOf(client: RedisClient): string {
  return (client.options as { keyPrefix?: string } | undefined)?.keyPrefix ?? ''
}
