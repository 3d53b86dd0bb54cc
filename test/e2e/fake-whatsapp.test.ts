import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Bot } from '../support/bot.js'
import { ALICE, BOB, greet, jidOf, numbered, sendAll, textsOf } from '../support/conversation.js'
import { type Scene, setScene } from '../support/scene.js'
import { quietLibsignal } from '../support/silence.js'

const AUTH_MODULE = new URL('../support/multi-file-auth.ts', import.meta.url).href

/** Takes the clean-up of a scene. */
type Cleanup = (end: () => Promise<void>) => void

async function setMultiFileScene(cleanup: Cleanup, claimedPreKeys = 1): Promise<Scene> {
  const folder = await mkdtemp(join(tmpdir(), 'fake-whatsapp-'))
  const authOf = (session: string) => ({
    authModule: AUTH_MODULE,
    authOptions: { folder: join(folder, session) },
  })
  const scene = await setScene(authOf, { claimedPreKeys })
  cleanup(async () => {
    await scene.end()
    // Baileys may still be writing when its socket has ended.
    await rm(folder, { recursive: true, force: true, maxRetries: 10 })
  })
  return scene
}

async function setSceneWithTwo(cleanup: Cleanup): Promise<Scene & { alice: Bot; bob: Bot }> {
  const scene = await setMultiFileScene(cleanup)
  const alice = await scene.start(ALICE)
  const bob = await scene.start(BOB)
  return { ...scene, alice, bob }
}

const speakAgain = quietLibsignal()
afterAll(speakAgain)

describe('the fake WhatsApp server, for sessions,', () => {
  test('pairs by QR code, asks for a restart and takes 812 pre-keys', async () => {
    const { server, start } = await setMultiFileScene(onTestFinished, 0)
    const alice = await start(ALICE)
    expect(alice).toMatchObject({ qrCount: 1, restarts: 1 })
    expect(server.stats).toMatchObject({ pairings: 1, logins: 1, preKeyUploads: [812] })
  })

  test('logs a stored session in without a QR code or another upload', async () => {
    const { server, start } = await setMultiFileScene(onTestFinished, 0)
    await (await start(ALICE)).stop()
    const alice = await start(ALICE)
    expect(alice).toMatchObject({ qrCount: 0, restarts: 0 })
    expect(server.stats).toMatchObject({ pairings: 1, logins: 2, preKeyUploads: [812] })
  })

  test('refuses a session whose account has been paired anew', async () => {
    const { start } = await setMultiFileScene(onTestFinished)
    await (await start(ALICE, 'old session')).stop()
    await start(ALICE, 'new session')
    await expect(start(ALICE, 'old session')).rejects.toThrow('401')
  })

  test('closes the older of two connections of one session with 440', async () => {
    const { alice, bob, server, start } = await setSceneWithTwo(onTestFinished)
    const bobAgain = await start(BOB)
    expect(await bob.closed).toBe(440)
    expect(server.stats.conflicts).toBe(1)
    await alice.send(jidOf(BOB), 'to the winner')
    await bobAgain.received('to the winner')
    expect(textsOf(bob)).toEqual([])
  })
})

describe('the fake WhatsApp server, for messages,', () => {
  let scene: Scene & { alice: Bot; bob: Bot }
  beforeAll(async () => {
    const endings: Array<() => Promise<void>> = []
    scene = await setSceneWithTwo(end => endings.push(end))
    return () => endings[0]?.()
  })

  test.each(['pn', 'lid'] as const)('carries 1:1 messages both ways, addressed by %s', async addressing => {
    const { alice, bob } = scene
    for (const round of ['first', 'second']) {
      await alice.send(jidOf(BOB, addressing), `${round} by ${addressing} to bob`)
      await bob.received(`${round} by ${addressing} to bob`)
      await bob.send(jidOf(ALICE, addressing), `${round} by ${addressing} to alice`)
      await alice.received(`${round} by ${addressing} to alice`)
    }
  })

  test.each(['lid', 'pn'] as const)('carries messages of a group addressed by %s', async addressing => {
    const { alice, bob, server } = scene
    const group = server.createGroup(
      addressing === 'lid' ? '120363001' : '120363002',
      [ALICE, BOB],
      addressing,
    )
    for (const round of ['first', 'second']) {
      await alice.send(group, `${round} of alice in ${group}`)
      expect(await bob.received(`${round} of alice in ${group}`)).toMatchObject({ chat: group })
      await bob.send(group, `${round} of bob in ${group}`)
      expect(await alice.received(`${round} of bob in ${group}`)).toMatchObject({ chat: group })
    }
  })

  test('delivers held messages in the order asked for', async () => {
    const { alice, bob, server } = scene
    const before = textsOf(bob)
    const texts = numbered('shuffled', 5)
    server.hold(BOB)
    const ids = await sendAll(alice, jidOf(BOB), texts)
    expect(textsOf(bob)).toEqual(before)
    server.release(BOB, held => held.toReversed())
    await server.confirmed(BOB, ids)
    await bob.received('shuffled 1')
    expect(textsOf(bob)).toEqual([...before, ...texts.toReversed()])
  })

  test('needs no retry for any of these', () => {
    const { alice, bob, server } = scene
    expect([...alice.undecryptable, ...bob.undecryptable]).toEqual([])
    expect(server.stats.retries).toBe(0)
  })

  test('passes retry receipts on, and with them the second copy of the message', async () => {
    const { alice, bob, server } = scene
    await bob.socket.authState.keys.set({ session: { [`${ALICE.lid}_1.1`]: null } })
    server.hold(BOB) // until Alice has stored the session that the retry is going to replace
    await alice.send(jidOf(BOB), 'sent twice')
    server.release(BOB)
    await bob.received('sent twice')
    expect(bob.undecryptable).toHaveLength(1)
    expect(server.stats.retries).toBe(1)
  })
})

describe('a message that the client has not answered', () => {
  test('waits until an offline account returns', async () => {
    const { alice, bob, start } = await setSceneWithTwo(onTestFinished)
    await greet(alice, bob)
    await bob.stop()
    const texts = numbered('while you were out', 5)
    await sendAll(alice, jidOf(BOB), texts)
    const bobAgain = await start(BOB)
    await bobAgain.received('while you were out 5')
    expect(textsOf(bobAgain)).toEqual(texts)
    expect(bobAgain.undecryptable).toEqual([])
  })

  test('comes again, and Baileys asks for a new copy of a session message that it has already decrypted', async () => {
    const { alice, bob, server, start } = await setSceneWithTwo(onTestFinished)
    await greet(alice, bob)
    server.loseAnswers(BOB)
    const id = await alice.send(jidOf(BOB), 'unanswered')
    await bob.received('unanswered')
    await bob.stop()
    const bobAgain = await start(BOB)
    await server.confirmed(BOB, [id])
    expect(bobAgain.undecryptable).toEqual(['No matching sessions found for message'])
    expect(server.stats).toMatchObject({ queuedMessages: 1, retries: 1 })
  })

  test('comes again, and Baileys drops a pre-key message that it has already decrypted', async () => {
    const { alice, bob, server, start } = await setSceneWithTwo(onTestFinished)
    server.loseAnswers(BOB)
    await alice.send(jidOf(BOB), 'unanswered')
    await bob.received('unanswered')
    await bob.stop()
    const bobAgain = await start(BOB)
    await alice.send(jidOf(BOB), 'next')
    await bobAgain.received('next')
    expect(textsOf(bobAgain)).toEqual(['next'])
    expect(bobAgain.undecryptable).toEqual([])
    expect(server.stats).toMatchObject({ queuedMessages: 1, retries: 0 })
  })

  test('survives a process killed in the middle of a burst', async () => {
    const { server, start, spawn } = await setMultiFileScene(onTestFinished)
    const alice = await start(ALICE)
    const firstLife = spawn(BOB)
    await firstLife.opened
    await greet(alice, firstLife)
    server.hold(BOB)
    const ids = await sendAll(alice, jidOf(BOB), numbered('message', 24))
    server.release(BOB)
    await firstLife.received('message 8')
    await firstLife.kill()
    ids.push(await alice.send(jidOf(BOB), 'message to nobody'))
    const secondLife = spawn(BOB)
    await secondLife.opened
    await server.confirmed(BOB, ids, 20_000) // the kill may tear a session file: then each one needs a retry
    await secondLife.received('message to nobody')
    expect([firstLife.qrCount, secondLife.qrCount]).toEqual([1, 0])
    expect(server.stats).toMatchObject({ pairings: 2, conflicts: 0 })
  })
})
