import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'

const STORES = ['sqlite', 'redis', 'mongodb'] as const
type Store = (typeof STORES)[number]

export interface DemoOptions {
  messages: number
  sessions: number
  store: Store
  /** `undefined`: a file in a temporary folder that is removed at the end. */
  path: string | undefined
  /** `undefined`: a server of the demo's own. */
  url: string | undefined
}

const USAGE = `npm run demo -- [--messages N] [--sessions N] [--store ${STORES.join('|')}] [--db PATH] [--url URL]

  --messages N   messages that each pair of bots exchanges; default 40
  --sessions N   bots, an even number; default 2
  --store NAME   where the sessions are kept: sqlite (default), redis or mongodb
  --url URL      the server to use; by default the demo starts one of its own
  --db PATH      where the SQLite file is to be kept, to look at it afterwards; it must not exist yet
`

/** Prints the usage and ends the process when asked for it, or when an argument is wrong. */
export function readArguments(): DemoOptions {
  try {
    const { values } = parseArgs({
      options: {
        messages: { type: 'string', default: '40' },
        sessions: { type: 'string', default: '2' },
        store: { type: 'string', default: 'sqlite' },
        db: { type: 'string' },
        url: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    if (values.help) exit(0)
    const messages = toCount('--messages', values.messages, 8)
    const sessions = toCount('--sessions', values.sessions, 2)
    if (sessions % 2 !== 0) throw new RangeError(`--sessions must be even, got ${sessions}`)
    if (values.db !== undefined && existsSync(values.db)) throw new Error(`${values.db} exists already`)
    const { store, db: path, url } = values
    if (!isStore(store)) throw new RangeError(`--store must be one of ${STORES.join(', ')}, got ${store}`)
    if (path !== undefined && store !== 'sqlite') throw new RangeError('--db goes with --store sqlite')
    if (url !== undefined && store === 'sqlite') throw new RangeError('--url goes with a server')
    return { messages, sessions, store, path, url }
  } catch (error) {
    console.error(`${(error as Error).message}\n`)
    return exit(1)
  }
}

function isStore(name: string): name is Store {
  return STORES.some(store => store === name)
}

function toCount(name: string, text: string, least: number): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= least) return count
  throw new RangeError(`${name} must be a whole number of at least ${least}, got ${text}`)
}

function exit(code: number): never {
  console.log(USAGE)
  process.exit(code)
}
