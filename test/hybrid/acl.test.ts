import { Redis } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { createHybridStore, useHybridAuthState } from '../../src/hybrid/index.js'
import { startMongo } from '../support/mongodb/mongodb-server.js'
import { documentedRights, documentedRightsOfHybrid } from '../support/redis/documented-rights.js'
import { startRedis } from '../support/redis/redis-server.js'

test('the rights in Redis that docs/redis.md and docs/hybrid.md name are enough', async () => {
  const [server, mongo] = await Promise.all([startRedis(), startMongo({ shared: true })])
  const admin = new Redis(server.url)
  const { rights } = await documentedRights()
  await admin.call(
    'ACL',
    'SETUSER',
    'bots',
    'on',
    '>secret',
    ...rights,
    ...(await documentedRightsOfHybrid()),
  )
  const place = {
    redisUrl: server.url.replace('//', '//bots:secret@'),
    mongoUrl: mongo.url,
    mongoDatabase: `acl-${Date.now()}`,
  }
  onTestFinished(async () => {
    admin.disconnect()
    await Promise.all([server.stop(), mongo.stop()])
  })
  for (const enableWriteBehind of [false, true]) {
    const store = await createHybridStore({ ...place, enableWriteBehind })
    const sessionId = `behind-${enableWriteBehind}`
    const bot = await useHybridAuthState({ sessionId, store, ownership: 'exclusive' })
    await bot.saveCreds()
    await bot.state.keys.set({ 'lid-mapping': { a: '1', b: '2' } })
    await bot.state.keys.set({ 'lid-mapping': { b: null } })
    await store.reconcileOutbox()
    await admin.flushall() // it is loaded from MongoDB again
    expect(await store.getKeys(sessionId, 'lid-mapping', ['a', 'b'])).toEqual({ a: '1' })
    expect((await store.list()).sessionIds).toContain(sessionId)
    await bot.close()
    await store.touch(sessionId)
    await store.delete(sessionId)
    expect(await store.get(sessionId)).toBeNull()
    await store.close()
  }
  const denied = (await admin.call('ACL', 'LOG')) as unknown[]
  expect(denied).toEqual([])
})
