import { Redis } from 'ioredis'

/** A connection that is gone afterwards: those of a contender are counted. */
export async function withRedis<T>(url: string, action: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url)
  try {
    return await action(redis)
  } finally {
    redis.disconnect()
  }
}
