import { readFile } from 'node:fs/promises'

const PAGE = new URL('../../../docs/redis.md', import.meta.url)

/** What docs/redis.md says that the user of an ACL needs, on one server and on a Cluster. */
export async function documentedRights(): Promise<{ rights: string[]; onCluster: string[] }> {
  const page = await readFile(PAGE, 'utf8')
  const rights = /^~baileys:auth:\* .*$/m.exec(page)?.[0]
  const onCluster = /On a Cluster .*?`([^`]*)`/s.exec(page)?.[1]
  if (rights === undefined || onCluster === undefined) throw new Error('docs/redis.md names no rights')
  return { rights: rights.split(' '), onCluster: onCluster.split(' ') }
}

/** The whole of docs/hybrid.md's addition. */
export async function documentedRightsOfHybrid(): Promise<string[]> {
  const page = await readFile(new URL('../../../docs/hybrid.md', import.meta.url), 'utf8')
  const rights = /The user of an ACL in Redis .*?`(~outbox[^`]*)`/s.exec(page)?.[1]
  if (rights === undefined) throw new Error('docs/hybrid.md names no rights')
  return rights.split(' ')
}
