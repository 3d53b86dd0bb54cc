import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { TYPESCRIPT } from '../../test/support/typescript.js'
import { CONTENDERS } from '../contenders/index.js'
import type { Place } from '../contenders/place.js'
import type { Effort } from '../effort.js'
import type { ContenderName, SettingFigure } from '../figures.js'
import type { Recorder } from '../recorder.js'
import type { StoreName } from './names.js'

const PROGRAM = fileURLToPath(new URL('./setting-process.ts', import.meta.url))
const NAMES: readonly ContenderName[] = ['raw', 'compressed', 'cached', 'peer']

export interface SettingTask {
  store: StoreName
  contender: ContenderName
  place: Place
  /** It is over after that time, or after all operations. */
  timeMs: number
}

/** 100 sessions, 1,000 operations each, 10 at a time, four of five reads: each contender in a process of its own. */
export async function measureSetting(place: Place, effort: Effort, recorder: Recorder): Promise<void> {
  for (const store of ['redis', 'mongodb', 'hybrid', 'sqlite'] as const) {
    for (const contender of NAMES.filter(name => name in CONTENDERS[store])) {
      recorder.say(`the seed's setting: ${store}, ${contender}`)
      try {
        const task = { store, contender, place, timeMs: effort.settingMs }
        recorder.results.setting.push(await runApart(task))
      } catch (error) {
        recorder.fail(`the seed's setting, ${store}, ${contender}`, error)
      }
    }
  }
}

function runApart(task: SettingTask): Promise<SettingFigure> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--expose-gc', ...TYPESCRIPT, PROGRAM, JSON.stringify(task)], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    child.once('message', figure => resolve(figure as SettingFigure))
    child.once('exit', code => reject(new Error(`its process has ended with code ${code}`)))
  })
}
