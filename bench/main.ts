/** What the store costs, next to the bare drivers and to the peer; see docs/BENCHMARKS.md. */
import { readArguments } from './arguments.js'
import { measureGrowth } from './cases/growth.js'
import { STORES } from './cases/names.js'
import { FULL, QUICK } from './effort.js'
import type { ContenderName } from './figures.js'
import { describeMachine, findVersions } from './machine.js'
import { Recorder } from './recorder.js'
import { startServers } from './servers.js'

const CONTENDERS_OF: Record<(typeof STORES)[number], readonly ContenderName[]> = {
  redis: ['raw', 'plain', 'encrypted', 'compressed', 'peer'],
  mongodb: ['raw', 'plain', 'encrypted', 'compressed', 'peer'],
  hybrid: ['raw', 'plain', 'encrypted', 'compressed', 'behind', 'peer'],
  sqlite: ['raw', 'plain', 'encrypted', 'compressed'],
}

const { isQuick, only } = readArguments()
const effort = isQuick ? QUICK : FULL
const machine = describeMachine()
const servers = await startServers(only)
const recorder = new Recorder()
try {
  const versions = await findVersions(servers)
  console.log(machine, versions)
  for (const store of STORES.filter(name => only.includes(name))) {
    await measureGrowth({ store, names: CONTENDERS_OF[store] }, servers, effort, recorder)
  }
  console.table(recorder.results.figures)
} finally {
  await servers.stop()
}
process.exit()
