import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { isFree } from '../server-process.js'
import type { Flavour } from './redis-program.js'
import { type RedisServer, startRedis } from './redis-server.js'

const MASTERS = 3
const SLOTS = 16384
/** The other nodes take a node for dead that has been silent for this time. */
const NODE_TIMEOUT_MS = 1000

export interface RedisClusterServers {
  readonly nodes: { host: string; port: number }[]
  readonly servers: readonly RedisServer[]
  stop(): Promise<void>
}

/** Three masters with a replica each, ready to answer for every slot and to fail over. */
export async function startRedisCluster(
  flavour: Flavour = 'redis-7',
  nodeTimeoutMs = NODE_TIMEOUT_MS,
): Promise<RedisClusterServers> {
  const config = [
    ...['--cluster-enabled', 'yes', '--cluster-node-timeout', `${nodeTimeoutMs}`],
    ...['--cluster-replica-validity-factor', '0', '--repl-diskless-sync-delay', '0'],
    ...['--repl-ping-replica-period', '1', '--save', '', '--appendonly', 'no'],
  ]
  const servers: RedisServer[] = []
  const ports = await clusterPorts(2 * MASTERS)
  for (const port of ports) servers.push(await startRedis({ flavour, port, config }))
  const clients = servers.map(server => new Redis(server.url))
  try {
    await join(clients, ports)
  } finally {
    for (const client of clients) client.disconnect()
  }
  return {
    servers,
    nodes: ports.map(port => ({ host: '127.0.0.1', port })),
    stop: async () => void (await Promise.all(servers.map(server => server.stop()))),
  }
}

/** What `redis-cli --cluster create` does. */
async function join(clients: Redis[], ports: number[]): Promise<void> {
  const masters = clients.slice(0, MASTERS)
  for (const [i, master] of masters.entries()) {
    const [from, to] = [Math.ceil((i * SLOTS) / MASTERS), Math.ceil(((i + 1) * SLOTS) / MASTERS) - 1]
    await master.call('CLUSTER', 'ADDSLOTSRANGE', from, to)
    await master.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)
  }
  const [first] = clients as [Redis]
  for (const port of ports.slice(1)) await first.call('CLUSTER', 'MEET', '127.0.0.1', port)
  await until(clients, async client => {
    const nodes = String(await client.call('CLUSTER', 'NODES'))
    return nodes.trim().split('\n').length === clients.length && !nodes.includes('handshake')
  })
  for (const [i, replica] of clients.slice(MASTERS).entries()) {
    const id = await masters[i]?.call('CLUSTER', 'MYID')
    await replica.call('CLUSTER', 'REPLICATE', String(id))
  }
  await until(clients, async client => {
    const state = String(await client.call('CLUSTER', 'INFO'))
    const nodes = String(await client.call('CLUSTER', 'NODES'))
    const replication = await client.info('replication')
    const knowsReplicas = nodes.split('\n').filter(node => node.includes('slave')).length === MASTERS
    const isSynced =
      /role:master\r\nconnected_slaves:1/.test(replication) || replication.includes('master_link_status:up')
    return state.includes('cluster_state:ok') && knowsReplicas && isSynced
  })
}

async function until(clients: Redis[], isTrue: (client: Redis) => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const answers = await Promise.all(clients.map(isTrue))
    if (answers.every(Boolean)) return
    await sleep(50)
  }
  throw new Error('the nodes of the cluster do not agree')
}

/** The bus of a node is at its port + 10,000, so that the ports must be low. */
async function clusterPorts(count: number): Promise<number[]> {
  const ports: number[] = []
  for (let port = 12_000 + Math.floor(Math.random() * 8000); ports.length < count; port++) {
    if ((await isFree(port)) && (await isFree(port + 10_000))) ports.push(port)
  }
  return ports
}
