import { InvalidOptionError } from '../core/errors.js'
import { isCluster, type RedisClient } from './client.js'

/**
 * If a server lacks the database of the configured number, the client stays in database 0, where other keys may lie;
 * ioredis only emits an event. A given client may have connected earlier, so this check selects the database again.
 */
export function checkDatabase(client: RedisClient, refuse: (refusal: InvalidOptionError) => void): void {
  const number = databaseOf(client)
  if (isCluster(client) || number === 0) return
  const check = () => {
    client.select(number).catch(error => {
      if (isWrongDatabase(error)) refuse(toDatabaseRefusal(client)) // the first call reports any other error
    })
  }
  if (client.status === 'ready') check()
  else client.once('ready', check)
}

export function isWrongDatabase({ message }: Error): boolean {
  return /DB index is out of range|invalid DB index/i.test(message)
}

export function toDatabaseRefusal(client: RedisClient): InvalidOptionError {
  return new InvalidOptionError(
    `Redis has no database ${databaseOf(client)}: the databases are numbered from 0, and its setting "databases" says how ` +
      'many there are, by default 16. Nothing was written. Give another number as "db" or at the end of the URL.',
  )
}

function databaseOf(client: RedisClient): number {
  const { db = 0 } = (client.options ?? {}) as { db?: number | string }
  return Number(db)
}
