/** What the store costs, next to the bare drivers and to the peer; see docs/BENCHMARKS.md. */
import { fileURLToPath } from 'node:url'
import { readArguments } from './arguments.js'
import { measureCache } from './cases/cache.js'
import { measureCodec } from './cases/codec.js'
import { measureEncryption } from './cases/encryption.js'
import { measureFallback } from './cases/fallback.js'
import { measureGrowth } from './cases/growth.js'
import { CASES, type CaseName, type StoreName } from './cases/names.js'
import { measureSetting } from './cases/setting.js'
import type { Place } from './contenders/place.js'
import { type Effort, FULL, QUICK } from './effort.js'
import type { ContenderName } from './figures.js'
import { describeMachine, findVersions } from './machine.js'
import { Recorder } from './recorder.js'
import { evaluateAims } from './report/aims.js'
import { toAimsTable } from './report/markdown.js'
import { writeReport } from './report/write.js'
import { startServers } from './servers.js'

const GROWING: Record<StoreName, readonly ContenderName[]> = {
  redis: ['raw', 'json', 'plain', 'encrypted', 'compressed', 'peer'],
  mongodb: ['raw', 'json', 'plain', 'encrypted', 'compressed', 'peer'],
  hybrid: ['raw', 'plain', 'encrypted', 'compressed', 'behind', 'peer'],
  sqlite: ['raw', 'json', 'plain', 'encrypted', 'compressed', 'files', 'files, cached'],
}
type Measure = (place: Place, effort: Effort, recorder: Recorder) => Promise<void>
const growing = (store: StoreName): Measure => {
  return (...context) => measureGrowth({ store, names: GROWING[store] }, ...context)
}
const MEASURES: Record<CaseName, Measure> = {
  redis: growing('redis'),
  mongodb: growing('mongodb'),
  hybrid: growing('hybrid'),
  sqlite: growing('sqlite'),
  encryption: measureEncryption,
  cache: measureCache,
  fallback: measureFallback,
  codec: (_place, effort, recorder) => measureCodec(effort, recorder),
  setting: measureSetting,
}

const { isQuick, only } = readArguments()
const effort = isQuick ? QUICK : FULL
const measuredAt = new Date().toISOString()
const machine = describeMachine()
const recorder = new Recorder()
const servers = await startServers(only)
try {
  const versions = await findVersions(servers)
  for (const name of CASES.filter(one => only.includes(one))) {
    await MEASURES[name](servers, effort, recorder).catch(error => recorder.fail(name, error))
  }
  const results = { measuredAt, isQuick, machine, versions, ...recorder.results }
  const isWhole = !isQuick && only.length === CASES.length
  const folder = await writeReport(results, { isWhole })
  console.log(`\n${toAimsTable(evaluateAims(results))}\n\nAll of it is in ${fileURLToPath(folder)}`)
} finally {
  await servers.stop()
}
process.exit() // the peer's timers would keep the process alive
