/**
 * Real Baileys sockets against a WhatsApp of our own on this machine: they pair by QR code and talk; one of each couple
 * is killed while messages are on their way to it, comes back without a new code, and reads what it has missed.
 */
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import qrcode from 'qrcode-terminal'
import { startFakeWhatsApp } from '../../test/support/fake-whatsapp/index.js'
import { startMongo } from '../../test/support/mongodb/mongodb-server.js'
import { KEEPS_ALL, startRedis } from '../../test/support/redis/redis-server.js'
import { quietLibsignal } from '../../test/support/silence.js'
import { readArguments } from './arguments.js'
import { Couple } from './couple.js'
import { type Database, openStore } from './database.js'
import { Progress } from './progress.js'
import { printTable, tabulateKeys, tabulateTimes } from './report.js'

quietLibsignal()
const { messages, sessions, store, path, url } = readArguments()
const folder = mkdtempSync(join(tmpdir(), 'baileys-demo-'))
const ownServer = url === undefined ? await startServer() : undefined
const database = placeOf(url ?? ownServer?.url ?? '')
const masterKey = randomBytes(32).toString('hex')
const timesFile = join(folder, 'times.jsonl')
writeFileSync(timesFile, '')

const server = await startFakeWhatsApp()
const total = (sessions / 2) * messages
const progress = new Progress(total)
const couples = Array.from(
  { length: sessions / 2 },
  (_, number) =>
    new Couple({
      server,
      auth: { database, masterKey, timesFile },
      number,
      onQr: showQr,
      onMessage: () => progress.add(),
    }),
)
/** A quarter of the messages before the kill, a quarter during it, half after it. */
const [killAt, goOnAt] = [Math.floor(messages / 4), Math.floor(messages / 2)]

say(`${sessions} bots start, each in a process of its own; their sessions are in ${place()}, encrypted`)
await forEachCouple(couple => couple.start())
const codesBefore = countCodes()

say('they talk')
await forEachCouple(couple => couple.talk(0, killAt))
progress.end()

say('kill -9 for one of each couple, while messages are on their way to it; then it is started again')
await forEachCouple(couple => couple.killWhileTalking(killAt, goOnAt))
progress.end()

say('they go on talking')
await forEachCouple(couple => couple.talk(goOnAt, messages))
progress.end()
await forEachCouple(couple => couple.stop())
await server.close()

const decrypted = couples.reduce((count, couple) => count + couple.decrypted.size, 0)
const codesAfter = countCodes() - codesBefore
say('done')
printTable({
  head: ['messages', ''],
  rows: [
    ['sent', total],
    ['decrypted by their addressee', decrypted],
    ['QR codes for the first pairing', codesBefore],
    ['QR codes after the kill', codesAfter],
  ],
})
printTable(await tabulateKeys(database, masterKey))
printTable(tabulateTimes(timesFile))
if (path !== undefined) console.log(`The sessions are in ${path}; their master key is ${masterKey}\n`)
rmSync(folder, { recursive: true })
if (url !== undefined) await removeSessions()
await ownServer?.stop()

const isWhole = decrypted === total && codesBefore === sessions && codesAfter === 0
console.log(isWhole ? 'Nothing was lost, and nobody had to pair again.' : 'Something was lost: see above.')
process.exit(isWhole ? 0 : 1) // Baileys' timers would keep the process alive

/** A server of the demo's own; `undefined` where none is needed. */
async function startServer(): Promise<{ url: string; stop(): Promise<void> } | undefined> {
  if (store === 'redis') return startRedis({ config: KEEPS_ALL })
  return store === 'mongodb' ? startMongo({ isDurable: true }) : undefined
}

function placeOf(serverUrl: string): Database {
  switch (store) {
    case 'sqlite':
      return { store, path: path === undefined ? join(folder, 'auth.db') : resolve(path) }
    case 'redis':
      return { store, redisUrl: serverUrl, prefix: `baileys:demo:${process.pid}` }
    case 'mongodb':
      return { store, mongoUrl: serverUrl, collection: `demo-${process.pid}` }
  }
}

/** A server that was given keeps nothing of the demo. */
async function removeSessions(): Promise<void> {
  const opened = await openStore(database, masterKey)
  for await (const sessionId of opened.sessions()) await opened.delete(sessionId)
  await opened.close()
}

function place(): string {
  if (database.store === 'sqlite') return database.path
  const serverUrl = database.store === 'redis' ? database.redisUrl : database.mongoUrl
  return serverUrl.replace(/\/\/.*@/, '//…@')
}

async function forEachCouple(action: (couple: Couple) => Promise<void>): Promise<void> {
  await Promise.all(couples.map(action))
}

function countCodes(): number {
  return couples.reduce((count, couple) => count + couple.qrCodes, 0)
}

function showQr(sessionId: string, qr: string): void {
  say(`${sessionId} shows this code, and a phone scans it`)
  qrcode.generate(qr, { small: true }, code => console.log(code))
}

function say(what: string): void {
  console.log(`\n${what}\n`)
}
