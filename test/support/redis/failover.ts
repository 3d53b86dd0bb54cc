import { Redis } from 'ioredis'
import type { RedisServer } from './redis-server.js'

/** What the master says from now on does not even wait in the replicas' sockets. */
export async function cutOff(master: RedisServer, replicas: readonly RedisServer[]): Promise<void> {
  await Promise.all(replicas.map(replica => replica.freeze()))
  const client = new Redis(master.url)
  await client.call('CLIENT', 'KILL', 'TYPE', 'replica')
  client.disconnect()
}

/** The node that has the key, and its replica. */
export async function findOwners(servers: readonly RedisServer[], key: string) {
  const clients = servers.map(server => new Redis(server.url))
  try {
    const first = clients[0] as Redis
    const slot = String(await first.call('CLUSTER', 'KEYSLOT', key))
    const lines = String(await first.call('CLUSTER', 'NODES'))
      .trim()
      .split('\n')
    const nodes = lines.map(line => {
      const [id = '', address = '', flags = '', masterId = '', , , , , ...ranges] = line.split(' ')
      return {
        id,
        port: Number(/:(\d+)@/.exec(address)?.[1]),
        isMaster: flags.includes('master'),
        masterId,
        ranges,
      }
    })
    const owner = nodes.find(({ isMaster, ranges }) =>
      ranges.some(range => {
        const [from, to] = range.split('-').map(Number)
        return isMaster && from !== undefined && from <= Number(slot) && Number(slot) <= (to ?? from)
      }),
    )
    const heir = nodes.find(({ masterId }) => masterId === owner?.id)
    const at = (port: number | undefined) => servers.find(server => server.port === port) as RedisServer
    return { slot, master: at(owner?.port), replica: at(heir?.port) }
  } finally {
    for (const client of clients) client.disconnect()
  }
}
