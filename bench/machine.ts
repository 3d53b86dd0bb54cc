import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { Redis } from 'ioredis'
import { MongoClient } from 'mongodb'
import type { Servers } from './servers.js'

const GIB = 1024 ** 3

export function describeMachine(): Record<string, string> {
  const [cpu] = cpus()
  return {
    cpu: `${cpus().length} × ${cpu?.model.trim()}`,
    memory: `${Math.round(totalmem() / GIB)} GiB`,
    system: `${platform()} ${release()} ${arch()}`,
    'load before': loadavg()
      .map(load => load.toFixed(1))
      .join(' '),
  }
}

export async function findVersions({
  redisUrl,
  mongoUrl,
  mongoKind,
}: Servers): Promise<Record<string, string>> {
  const here = createRequire(import.meta.url)
  const ofPeer = createRequire(new URL('./peer/peer-contenders.ts', import.meta.url))
  return {
    node: process.version,
    'this library': await versionOf(
      createRequire(new URL('../src/index.ts', import.meta.url)),
      '../package.json',
    ),
    ioredis: await versionOf(here, 'ioredis/package.json'),
    mongodb: await versionOf(here, 'mongodb/package.json'),
    peer: await versionOf(ofPeer, 'peer/package.json'),
    "the peer's ioredis": await versionOf(ofPeer, 'ioredis/package.json'),
    "the peer's mongodb": await versionOf(ofPeer, 'mongodb/package.json'),
    ...(await redisVersion(redisUrl)),
    ...(mongoUrl && (await mongoVersion(mongoUrl, mongoKind))),
  }
}

async function versionOf(from: NodeJS.Require, name: string): Promise<string> {
  return JSON.parse(await readFile(from.resolve(name), 'utf8')).version
}

async function redisVersion(url: string): Promise<Record<string, string>> {
  const client = new Redis(url)
  const info = await client.info('server')
  client.disconnect()
  return { Redis: /redis_version:(\S+)/.exec(info)?.[1] ?? '?' }
}

async function mongoVersion(url: string, kind: string | undefined): Promise<Record<string, string>> {
  const client = new MongoClient(url)
  const { version, ferretdb } = await client.db('admin').command({ buildInfo: 1 })
  await client.close()
  const own = (ferretdb as { version?: string } | undefined)?.version
  return { MongoDB: own ? `FerretDB ${own}, as MongoDB ${version}` : `${version} (${kind})` }
}
