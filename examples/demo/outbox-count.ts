import { Redis } from 'ioredis'

export interface OutboxPlace {
  redisUrl: string
  prefix: string
}

export interface OutboxCount {
  /** `undefined` while Redis cannot be asked: that is not none. */
  read(): Promise<number | undefined>
  close(): void
}

/** Once. */
export async function countOutbox(
  place: OutboxPlace,
  sessionIds: readonly string[],
): Promise<number | undefined> {
  const count = await openOutboxCount(place, sessionIds)
  return count.read().finally(() => count.close())
}

/** How many writes of these sessions wait for MongoDB; docs/outbox.md describes where they lie. */
export async function openOutboxCount(
  { redisUrl, prefix }: OutboxPlace,
  sessionIds: readonly string[],
): Promise<OutboxCount> {
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 100,
  })
  redis.on('error', () => {}) // it shows in what `read` returns
  await redis.connect()
  const outboxes = sessionIds.map(sessionId => `${prefix}:outbox:{${sessionId}}`)
  return {
    async read() {
      const lengths = Promise.all(outboxes.map(outbox => redis.hlen(outbox)))
      return lengths.then(
        found => found.reduce((sum, length) => sum + length, 0),
        () => undefined,
      )
    },
    close: () => redis.disconnect(),
  }
}
