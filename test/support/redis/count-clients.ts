import type { Redis } from 'ioredis'

/** Connections that the server has, that of `client` among them. */
export async function countClients(client: Redis): Promise<number> {
  return String(await client.client('LIST'))
    .trim()
    .split('\n').length
}
