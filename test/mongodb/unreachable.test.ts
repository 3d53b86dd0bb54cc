import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createMongoStore, useMongoAuthState } from '../../src/mongodb/index.js'
import { startMongo } from '../support/mongodb/mongodb-server.js'
import { startRedis } from '../support/redis/redis-server.js'
import { startUntrustedServer } from '../support/tls-server.js'

/** The driver gives up long before the deadline of a call, on a busy machine too. */
const QUICK = 'serverSelectionTimeoutMS=700&connectTimeoutMS=700'

/** The errors of a store's calls to a server that it cannot use. */
async function tellOf(mongoUrl: string, operationTimeout: number) {
  const store = await createMongoStore({ mongoUrl, resilience: { maxRetries: 1, operationTimeout } })
  onTestFinished(() => store.close())
  const calls = [
    () => store.get('s'),
    () => store.set('s', { creds: {} }),
    () => useMongoAuthState({ sessionId: 's', store }),
  ]
  const errors = []
  for (const call of calls) errors.push(await call().catch((error: Error) => error))
  return errors
}

async function expectToTell(
  mongoUrl: string,
  where: string,
  why: string | RegExp,
  operationTimeout = 30_000,
) {
  const beganMs = performance.now()
  for (const error of await tellOf(mongoUrl, operationTimeout)) {
    expect(error).toMatchObject({ sessionId: 's' })
    expect((error as Error).message).toContain(`MongoDB at ${where}`)
    expect((error as Error).message).toMatch(why)
    expect((error as Error).message).not.toContain('s3cret')
    expect((error as Error).cause).toBeInstanceOf(Error)
  }
  return performance.now() - beganMs
}

test('the error says that nothing listens', async () => {
  await expectToTell(
    'mongodb://u:s3cret@127.0.0.1:1,127.0.0.1:2',
    '127.0.0.1:1, 127.0.0.1:2',
    'nothing listens there',
    1500,
  )
})

test('the error says that there is no such host, long before the deadline', async () => {
  const why = 'is unavailable: there is no host of that name'
  const tookMs = await expectToTell('mongodb://u:s3cret@nowhere.invalid:27018', 'nowhere.invalid:27018', why)
  expect(tookMs).toBeLessThan(30_000) // three calls that might take as long each
})

test('the error says that the certificate is not trusted, long before the deadline', async () => {
  const port = await startUntrustedServer()
  const why = 'is unavailable: its certificate is signed by itself'
  const tookMs = await expectToTell(`mongodb://127.0.0.1:${port}/?tls=true`, `127.0.0.1:${port} by TLS`, why)
  expect(tookMs).toBeLessThan(30_000)
})

test('the error says that the server refused the user or the password', async () => {
  const server = await startMongo({ shared: true })
  onTestFinished(() => server.stop())
  const url = new URL(server.url)
  url.username = 'u'
  url.password = 's3cret'
  await expectToTell(
    url.href,
    `127.0.0.1:${server.port}`,
    'is unavailable: it refused the user or the password',
  )
})

test('the error names a server that does not answer by TLS', async () => {
  const server = await startMongo({ shared: true })
  onTestFinished(() => server.stop())
  const errors = await tellOf(`mongodb://127.0.0.1:${server.port}/?tls=true`, 700)
  const why = /has not answered|in time|cut the connection|connection was cut/
  for (const { message } of errors as Error[]) {
    expect(message).toContain(`MongoDB at 127.0.0.1:${server.port} by TLS`)
    expect(message).toMatch(why)
  }
})

test('the error says that no server is of the replica set that the URL names', async () => {
  const server = await startMongo({ shared: true })
  onTestFinished(() => server.stop())
  const url = `mongodb://127.0.0.1:${server.port}/?replicaSet=theirs`
  await expectToTell(url, `127.0.0.1:${server.port}`, 'no server there belongs to the replica set', 1500)
})

test('the error says that something else may listen there', async () => {
  const redis = await startRedis()
  const silent = createServer(socket => socket.on('error', () => {})).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  onTestFinished(async () => {
    silent.close()
    await redis.stop()
  })
  // Redis closes the connection, or resets it: the system decides which.
  const why = /something else may listen there|it has cut the connection/
  for (const port of [redis.port, (silent.address() as AddressInfo).port]) {
    await expectToTell(`mongodb://127.0.0.1:${port}/?${QUICK}`, `127.0.0.1:${port}`, why)
  }
})
