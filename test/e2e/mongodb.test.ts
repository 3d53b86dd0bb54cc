import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { MongoOptions } from '../../src/mongodb/index.js'
import { ALICE, BOB, greet, jidOf, numbered, sendAll, textsOf } from '../support/conversation.js'
import { createMongoDatabase } from '../support/mongodb/mongodb-database.js'
import { type MongoServer, startMongo } from '../support/mongodb/mongodb-server.js'
import { setScene } from '../support/scene.js'
import { quietLibsignal } from '../support/silence.js'
import { type BaileysDatabase, describeBaileys } from './baileys-suite.js'

const AUTH_MODULE = new URL('../support/mongodb/mongodb-auth.ts', import.meta.url).href
const MASTER_KEY = '5e'.repeat(32)
const SEALED: MongoOptions = { masterKey: MASTER_KEY, security: { enableCompression: true } }
const SECRETBOX: MongoOptions = { masterKey: MASTER_KEY, security: { encryptionAlgorithm: 'secretbox' } }

let server: MongoServer
beforeAll(async () => {
  server = await startMongo({ shared: true })
}, 240_000)
afterAll(() => server?.stop())

describeBaileys('MongoDB, encrypted and compressed', async () => createDatabase(server.url, SEALED))
describeBaileys('MongoDB, by secretbox', async () => createDatabase(server.url, SECRETBOX))
describeBaileys('MongoDB, in the clear', async () => createDatabase(server.url, {}))

describe('MongoDB, killed and started again under bots that talk', () => {
  const speakAgain = quietLibsignal()
  afterAll(speakAgain)

  test('costs no message, no retry and no pairing', async () => {
    const server = await startMongo({ isDurable: true })
    const patient = { ...SEALED, resilience: { operationTimeout: 15_000, maxRetries: 50 } }
    const database = createDatabase(server.url, patient)
    const scene = await setScene(sessionId => database.authOf(sessionId, {}), { claimedPreKeys: 5 })
    onTestFinished(async () => {
      await scene.end()
      await database.remove()
      await server.stop()
    })
    const [alice, bob] = [await scene.start(ALICE), await scene.start(BOB)]
    await greet(alice, bob)
    const texts = numbered('message', 30)
    const sending = sendAll(alice, jidOf(BOB), texts)
    await bob.received('message 3')
    await server.kill()
    await server.restart()
    await sending
    await bob.received('message 30', 20_000)
    await bob.send(jidOf(ALICE), 'all there')
    await alice.received('all there')
    expect(textsOf(bob).slice(-30)).toEqual(texts)
    expect(scene.server.stats).toMatchObject({ pairings: 2, retries: 0 })
    expect([...alice.undecryptable, ...bob.undecryptable]).toEqual([])
  }, 60_000)
})

function createDatabase(url: string, options: MongoOptions): BaileysDatabase {
  const database = createMongoDatabase(url)
  return {
    authOf: (sessionId, given) => ({
      authModule: AUTH_MODULE,
      authOptions: { sessionId, mongodb: { ...options, ...database.place } as never, ...given },
    }),
    openStore: () => database.openStore(options),
    remove: () => database.remove(),
  }
}
