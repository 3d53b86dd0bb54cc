import { existsSync } from 'node:fs'
import type { AuthStore } from '@luoarch/baileys-store-core'
import { Misuse } from './misuse.js'

/** A store as the command line names it. */
export interface Place {
  /** `sqlite:PATH`, or the URL of Redis or MongoDB. */
  store?: string | undefined
  /** The two databases of a hybrid store. */
  redis?: string | undefined
  mongo?: string | undefined
}

/** Without a key, values are only written where the caller says so: a bot with a key would refuse them. */
export type Access = 'read' | 'write' | 'write in the clear'

const SQLITE = 'sqlite:'
const FORMS =
  'sqlite:PATH, redis://HOST, mongodb://HOST/DATABASE?collection=NAME, or by the URLs of Redis and MongoDB for a hybrid one'

/** `keys`: the first one writes. Throws `Misuse`, and what the stores throw. */
export async function openStore(place: Place, keys: readonly string[], access: Access): Promise<AuthStore> {
  const { store, redis, mongo } = place
  if (keys.length === 0 && access === 'write') {
    throw new Misuse('There is no master key. Set BAILEYS_MASTER_KEY, or give --unencrypted.')
  }
  const common = toCommon(keys)
  if (redis !== undefined || mongo !== undefined) {
    if (redis === undefined || mongo === undefined || store !== undefined) throw toMisnamed()
    const { createHybridStore } = await import('@luoarch/baileys-store-core/hybrid')
    const { mongoUrl, collection } = splitMongoUrl(mongo)
    return createHybridStore({ ...common, ...splitRedisUrl(redis), mongoUrl, mongoCollection: collection })
  }
  if (store === undefined) throw toMisnamed()
  if (store.startsWith(SQLITE)) {
    const path = store.slice(SQLITE.length)
    if (access === 'read' && !existsSync(path)) throw new Misuse('There is no such SQLite file.')
    const { createSqliteStore } = await import('@luoarch/baileys-store-core/sqlite')
    return createSqliteStore({ ...common, path })
  }
  if (/^rediss?:/.test(store)) {
    const { createRedisStore } = await import('@luoarch/baileys-store-core/redis')
    return createRedisStore({ ...common, ...splitRedisUrl(store) })
  }
  if (/^mongodb(\+srv)?:/.test(store)) {
    const { createMongoStore } = await import('@luoarch/baileys-store-core/mongodb')
    return createMongoStore({ ...common, ...splitMongoUrl(store) })
  }
  throw toMisnamed()
}

/** Takes the collection, which is ours, out of the query. */
export function splitMongoUrl(text: string): { mongoUrl: string; collection: string | undefined } {
  const [mongoUrl, collection] = takeParameter(text, 'collection')
  return { mongoUrl, collection }
}

/** Takes the prefix of the keys, which is ours, out of the query. */
export function splitRedisUrl(text: string): { redisUrl: string; prefix: string | undefined } {
  const [redisUrl, prefix] = takeParameter(text, 'prefix')
  return { redisUrl, prefix }
}

function toCommon(keys: readonly string[]) {
  const [masterKey] = keys
  if (masterKey === undefined) return { security: { enableEncryption: false } }
  return keys.length === 1 ? { masterKey } : { masterKeys: [...keys] }
}

/** Does not quote a URL: it may hold a password. */
function toMisnamed(): Misuse {
  return new Misuse(`Name the store: ${FORMS}.`)
}

function takeParameter(text: string, name: string): [rest: string, value: string | undefined] {
  const [base = '', query = ''] = text.split('?')
  const parameters = query.split('&').filter(Boolean)
  const found = parameters.find(one => one.startsWith(`${name}=`))
  const rest = parameters.filter(one => one !== found)
  const value = found && decodeURIComponent(found.slice(name.length + 1))
  return [rest.length > 0 ? `${base}?${rest.join('&')}` : base, value]
}
