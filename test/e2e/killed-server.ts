import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { ALICE, BOB, greet, jidOf, numbered, sendAll, textsOf } from '../support/conversation.js'
import { setScene } from '../support/scene.js'
import { quietLibsignal } from '../support/silence.js'
import type { BaileysDatabase } from './baileys-suite.js'

interface KilledServer {
  kill(): Promise<void>
  restart(): Promise<void>
  stop(): Promise<void>
}

/** The server of a database that keeps what it has acknowledged is killed under bots that talk. */
export function describeKilledServer(
  name: string,
  start: () => Promise<{ server: KilledServer; database: BaileysDatabase }>,
): void {
  describe(`${name}, killed and started again under bots that talk`, () => {
    const speakAgain = quietLibsignal()
    afterAll(speakAgain)

    test('costs no message, no retry and no pairing', async () => {
      const { server, database } = await start()
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
    })
  })
}
