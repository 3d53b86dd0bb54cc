/** A process that writes to a session and kills itself ahead of its nth command. See `write-and-die.ts`. */
import { json } from 'node:stream/consumers'
import { MongoClient } from 'mongodb'
import { createMongoStore } from '../../../src/mongodb/index.js'
import { inSteps } from './dying-client.js'
import type { DyingWriter } from './write-and-die.js'

const options = (await json(process.stdin)) as DyingWriter
const { url, database, collection, sessionId, task, dieAt } = options
const client = new MongoClient(url)
let commands = Number.NEGATIVE_INFINITY
const mongoClient = inSteps(client, command => {
  if (++commands === dieAt) {
    process.stdout.write(command)
    process.kill(process.pid, 'SIGKILL')
  }
})
const resilience = { operationTimeout: 60_000 } // other processes may keep the machine busy
const store = await createMongoStore({ mongoClient, database, collection, resilience })
await store.exists(sessionId)
commands = 0
if (task.kind === 'delete') await store.delete(sessionId)
else await store.set(sessionId, task.patch)
await store.close()
await client.close()
