import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { Cluster } from 'ioredis'
import { expect, onTestFinished, test } from 'vitest'
import { createRedisStore, type RedisOptions, useRedisAuthState } from '../../src/redis/index.js'
import { startRedis } from '../support/redis/redis-server.js'
import { startUntrustedServer } from '../support/tls-server.js'

/** The errors of a store's calls to a server that it cannot use. */
async function tellOf(options: RedisOptions) {
  const store = await createRedisStore({ resilience: { maxRetries: 1 }, ...options })
  onTestFinished(() => store.close())
  const calls = [() => store.get('s'), () => store.set('s', { creds: {} }), () => store.claim('s')]
  const errors = []
  for (const call of calls) errors.push(await call().catch((error: Error) => error))
  errors.push(await useRedisAuthState({ sessionId: 's', store }).catch((error: Error) => error))
  return errors
}

async function expectToTell(options: RedisOptions, where: string, why: string) {
  for (const error of await tellOf(options)) {
    const message = `Redis at ${where} is unavailable: ${why}`
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', sessionId: 's', address: where })
    expect((error as Error).message).toContain(message)
    expect((error as Error).message).not.toContain('s3cret')
    expect((error as Error).cause).toBeInstanceOf(Error)
  }
}

test('the error says that nothing listens', async () => {
  await expectToTell({ redisUrl: 'redis://u:s3cret@127.0.0.1:1' }, '127.0.0.1:1', 'nothing listens there')
  await expectToTell({ host: '127.0.0.1', port: 1 }, '127.0.0.1:1', 'nothing listens there')
})

test('the error says that no node of a Cluster can be reached', async () => {
  const redis = new Cluster([{ host: '127.0.0.1', port: 1 }], { clusterRetryStrategy: () => 20 })
  redis.on('error', () => {})
  onTestFinished(() => redis.disconnect())
  for (const { message } of (await tellOf({ redis, resilience: { operationTimeout: 1000 } })) as Error[]) {
    expect(message).toContain('Redis at 127.0.0.1:1')
    expect(message).toContain('none can be reached')
  }
})

test.each([
  ['nowhere.invalid', 26379],
  ['127.0.0.1', 1],
])('the error says that the Sentinel %s:%i cannot be reached', async (host, port) => {
  const why = 'it cannot be connected to: nothing listens there, or there is no host of that name'
  const redisOptions = { sentinels: [{ host, port }], name: 'main' }
  for (const error of await tellOf({ redisOptions, resilience: { operationTimeout: 500, maxRetries: 0 } })) {
    expect((error as Error).message).toContain(`Redis at the Sentinels ${host}:${port}: ${why}`)
  }
})

test('the error says that a Redis is no Sentinel', async () => {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  const redisOptions = { sentinels: [{ host: '127.0.0.1', port: server.port }], name: 'main' }
  for (const error of await tellOf({ redisOptions, resilience: { operationTimeout: 500, maxRetries: 0 } })) {
    expect((error as Error).message).toContain(`127.0.0.1:${server.port}: what listens there is no Sentinel`)
  }
})

test('the error says that something else closes each connection', async () => {
  const other = createServer(socket => socket.end()).listen(0, '127.0.0.1')
  await once(other, 'listening')
  onTestFinished(() => void other.close())
  const { port } = other.address() as AddressInfo
  const why = /it closes each connection before it answers|it has cut the connection/ // by a race, ioredis tells of a reset
  for (const error of (await tellOf({ host: '127.0.0.1', port })) as Error[]) {
    expect(error.message).toContain(`Redis at 127.0.0.1:${port} is unavailable: it `)
    expect(error.message).toMatch(why)
  }
})

test('the error says that there is no such host', async () => {
  const redisUrl = 'redis://u:s3cret@nowhere.invalid:6380'
  await expectToTell({ redisUrl }, 'nowhere.invalid:6380', 'there is no host of that name')
})

test('the error says that there is no such socket', async () => {
  await expectToTell(
    { redisOptions: { path: '/nowhere/redis.sock' } },
    '/nowhere/redis.sock',
    'there is no such socket',
  )
})

test('the error says that the certificate is not trusted', async () => {
  const port = await startUntrustedServer()
  const redisUrl = `rediss://127.0.0.1:${port}`
  await expectToTell({ redisUrl }, `127.0.0.1:${port} by TLS`, 'its certificate is signed by itself')
})

test('the error says that the server asks for a password, or refuses the given one', async () => {
  const server = await startRedis({ config: ['--requirepass', 's3cret'] })
  onTestFinished(() => server.stop())
  const where = `127.0.0.1:${server.port}`
  await expectToTell({ redisUrl: `redis://${where}` }, where, 'it asks for a password')
  await expectToTell(
    { redisUrl: `redis://:s3cret-not@${where}` },
    where,
    'it refused the user or the password',
  )
})

test('the error names a server that does not answer by TLS', async () => {
  const server = await startRedis()
  onTestFinished(() => server.stop())
  const resilience = { operationTimeout: 700 }
  const where = `127.0.0.1:${server.port} by TLS`
  const [read, ...others] = await tellOf({ redisUrl: `rediss://127.0.0.1:${server.port}`, resilience })
  const said = `"get" did not end within 700 ms: Redis at ${where} has not answered; it may not speak TLS, which was asked for`
  expect(read).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining(said) })
  const why = /has not answered|no connection came about in time/ // once the client has given up an attempt
  for (const { message } of others as Error[]) {
    expect(message).toContain(where)
    expect(message).toMatch(why)
    if (message.startsWith('"set" did not end'))
      expect(message).toContain('A write may or may not have been applied.')
  }
})

test('the cause of an earlier outage appears in no error after the server has come back', async () => {
  const server = await startRedis()
  const store = await createRedisStore({ redisUrl: server.url, resilience: { operationTimeout: 20_000 } })
  onTestFinished(async () => {
    server.thaw()
    await store.close()
    await server.stop()
  })
  await store.set('s', { creds: {} })
  await server.kill()
  const refused = { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('nothing listens there') }
  await expect(store.get('s')).rejects.toMatchObject(refused)
  await server.restart()
  await expect.poll(() => store.get('s').then(() => 'back', String)).toBe('back')
  await server.freeze()
  const quick = await createRedisStore({ redisUrl: server.url, resilience: { operationTimeout: 500 } })
  onTestFinished(() => quick.close())
  await expect(quick.get('s')).rejects.toMatchObject({
    message: expect.not.stringContaining('nothing listens there'),
  })
})
