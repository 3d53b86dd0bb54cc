import type { Logger } from '../core/logger.js'
import type { IndexDescription, MongoCollection } from './client.js'

interface Wanted {
  key: Readonly<Record<string, 1>>
  options: { expireAfterSeconds?: number; partialFilterExpression?: object }
  /** Whether an existing index on the same key does the job. */
  fits: (index: IndexDescription) => boolean
  without: string
}

/** Removes expired documents. A larger `expireAfterSeconds` only keeps them longer. */
const EXPIRY: Wanted = {
  key: { expiresAt: 1 },
  options: { expireAfterSeconds: 0 },
  fits: index => index.expireAfterSeconds !== undefined && index.partialFilterExpression === undefined,
  without: 'The server does not remove expired sessions; this process sweeps them away once an hour.',
}
/** The heads of living sessions, in order. */
const SESSIONS: Wanted = {
  key: { session: 1 },
  options: { partialFilterExpression: { session: { $exists: true } } },
  fits: ({ partialFilterExpression: filter, hidden, collation }) =>
    !hidden && !collation && (!filter || JSON.stringify(filter) === '{"session":{"$exists":true}}'),
  without: 'Listing sessions reads the whole collection.',
}

/**
 * Creates the indexes that `existing` lacks, and logs what goes wrong. Leaves existing indexes as they are, and logs
 * one that is in the way.
 */
export async function ensureIndexes(
  collection: MongoCollection,
  existing: readonly IndexDescription[],
  logger: Logger,
): Promise<void> {
  for (const { key, options, fits, without } of [EXPIRY, SESSIONS]) {
    const same = existing.filter(index => JSON.stringify(index.key) === JSON.stringify(key))
    if (same.some(fits)) continue
    const reason = same.length > 0 ? 'exists with other options' : await create(collection, key, options)
    if (reason === undefined) continue
    const index = same[0]?.name ?? JSON.stringify(key)
    logger.warn(
      { index },
      `An index ${reason} and was left so: ${index}. ${without} Drop it to have it made anew.`,
    )
  }
}

/** Returns the reason if the index could not be created; the store works without it. */
async function create(
  collection: MongoCollection,
  key: Readonly<Record<string, 1>>,
  options: object,
): Promise<string | undefined> {
  try {
    await collection.createIndex(key, options)
    return undefined
  } catch (error) {
    const { codeName, code, name } = error as { codeName?: string; code?: number; name: string }
    return `could not be created (${codeName ?? code ?? name})`
  }
}
