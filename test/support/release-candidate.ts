import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'
import type { Collection } from 'mongodb'

interface Stored {
  redis: Record<string, string>
  mongodb: { _id: string } & Record<string, unknown>
}

/**
 * What `useRedisAuthState` and `useMongoAuthState` of @luoarch/baileys-store-core 1.0.0-rc.4 have written for a session
 * `old`, with its default prefix: by `saveCreds` and a `keys.set` of one session. The instants of its document are texts
 * here, and the master key of what is encrypted was `a1`, 32 times.
 */
const FIXTURES = JSON.parse(readFileSync(new URL('../fixtures/rc4.json', import.meta.url), 'utf8')) as Record<
  'plain' | 'encrypted',
  Stored
>

export const KINDS = Object.keys(FIXTURES) as (keyof typeof FIXTURES)[]

export async function putIntoRedis(client: Redis, kind: keyof typeof FIXTURES): Promise<void> {
  for (const [key, text] of Object.entries(FIXTURES[kind].redis)) await client.set(key, text)
}

export async function putIntoMongo(
  documents: Collection<{ _id: string }>,
  kind: keyof typeof FIXTURES,
): Promise<void> {
  await documents.insertOne(FIXTURES[kind].mongodb)
}
