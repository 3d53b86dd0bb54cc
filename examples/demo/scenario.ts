import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import qrcode from 'qrcode-terminal'
import { startFakeWhatsApp } from '../../test/support/fake-whatsapp/index.js'
import type { DemoOptions } from './arguments.js'
import { Couple } from './couple.js'
import { countOutbox } from './outbox-count.js'
import type { Place } from './place.js'
import { Progress } from './progress.js'
import { printTable, say, tabulateKeys, tabulateTimes } from './report.js'
import type { StoreNote } from './store-note.js'
import { type OutageResult, talkThroughOutages } from './talk-through-outages.js'

/** Tells on the way what happens, and in tables what came of it. Whether all messages arrived, and nobody paired again. */
export async function play({ messages, sessions, hasOutage }: DemoOptions, place: Place): Promise<boolean> {
  const { database, masterKey, folder } = place
  const timesFile = join(folder, 'times.jsonl')
  writeFileSync(timesFile, '')
  const server = await startFakeWhatsApp()
  const progress = new Progress((sessions / 2) * messages)
  const notes = new Map<string, StoreNote>()
  const couples = Array.from(
    { length: sessions / 2 },
    (_, number) =>
      new Couple({
        server,
        auth: { database, masterKey, timesFile },
        number,
        onQr: showQr,
        onMessage: () => progress.add(),
        onNote: (sessionId, note) => notes.set(sessionId, note),
      }),
  )
  const forEachCouple = (action: (couple: Couple) => Promise<void>) => Promise.all(couples.map(action))
  const sum = (count: (couple: Couple) => number) =>
    couples.reduce((total, couple) => total + count(couple), 0)
  const sessionIds = couples.flatMap(couple => couple.sessionIds)
  const [early, missed] = [Math.floor(messages / 4), Math.ceil(messages / 4)]

  say(`${sessions} bots start, each in a process of its own; their sessions are in ${place.name}, encrypted`)
  await forEachCouple(couple => couple.start())
  const codesBefore = sum(couple => couple.qrCodes)

  say('they talk')
  await forEachCouple(couple => couple.talk(early))
  progress.end()

  say('kill -9 for one of each couple, while messages are on their way to it; then it is started again')
  await forEachCouple(couple => couple.killWhileTalking(missed))
  progress.end()

  const outages = hasOutage ? await talkThroughOutages(place, couples, notes) : undefined

  say(outages ? 'all is back; they go on talking' : 'they go on talking')
  await forEachCouple(couple => couple.talk(messages - early - missed))
  progress.end()
  await forEachCouple(couple => couple.stop())
  await server.close()

  const [sent, decrypted] = [sum(couple => couple.sent), sum(couple => couple.decrypted.size)]
  const outbox = database.store === 'hybrid' ? await countOutbox(database, sessionIds) : 0
  const codesAfter = sum(couple => couple.qrCodes) - codesBefore
  say('done')
  printTable({
    head: ['messages', ''],
    rows: [
      ['sent', sent],
      ['decrypted by their addressee', decrypted],
      ...(outages ? rowsOf(outages) : []),
      ['QR codes for the first pairing', codesBefore],
      ['QR codes after the kill', codesAfter],
      ...(database.store === 'hybrid' ? [['writes left in the outbox', outbox ?? '?']] : []),
    ],
  })
  printTable(await tabulateKeys(database, masterKey))
  printTable(tabulateTimes(timesFile))
  return decrypted === sent && codesBefore === sessions && codesAfter === 0 && outbox === 0
}

function rowsOf({ withoutMongo, withoutRedis, slowestMs }: OutageResult): [string, number][] {
  return [
    ['decrypted while MongoDB was gone', withoutMongo],
    ['decrypted while Redis was gone', withoutRedis],
    ['slowest in an outage, in ms', Math.round(slowestMs)],
  ]
}

function showQr(sessionId: string, qr: string): void {
  say(`${sessionId} shows this code, and a phone scans it`)
  qrcode.generate(qr, { small: true }, code => console.log(code))
}
