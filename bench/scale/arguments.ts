import { parseArgs } from 'node:util'

export const STORES = ['redis', 'mongodb', 'hybrid', 'sqlite'] as const
export type StoreName = (typeof STORES)[number]

export interface ScaleOptions {
  store: StoreName
  sessions: number
  /** Of each session, beside the creds. */
  keys: number
  /** Sessions that are opened, or closed, at once. */
  concurrency: number
  /** Messages a second, over all sessions. */
  rate: number
  trafficSeconds: number
  idleSeconds: number
  isEncrypted: boolean
  /** Whether the owner's reads and writes stay in memory, as they do by default. */
  isCached: boolean
  /** Where the figures go as JSON. */
  jsonFile: string | undefined
  /** Where a snapshot of the idle heap goes. */
  snapshotFile: string | undefined
}

const USAGE = `npm run bench:scale -- [--sessions N] [--store ${STORES.join('|')}] [--json FILE] [--snapshot FILE]

  --sessions N      sessions in this one process; default 2000
  --store NAME      where they are stored, on servers that the benchmark starts; default redis
  --keys N          keys of about 1 KB in each; default 30
  --concurrency N   sessions opened, or closed, at once; default 50
  --rate N          messages a second over all sessions, a get and a set of one key each; default 500
  --traffic N       seconds of messages; default 30
  --idle N          seconds without; default 10
  --plain           without a master key
  --no-cache        without the cache of what the owner reads and writes
  --json FILE       write the figures there too
  --snapshot FILE   write a snapshot of the idle heap there, for the memory tab of a browser
`

/** Prints the usage and ends the process when asked for it, or when an argument is wrong. */
export function readArguments(): ScaleOptions {
  try {
    const { values } = parseArgs({
      options: {
        sessions: { type: 'string', default: '2000' },
        store: { type: 'string', default: 'redis' },
        keys: { type: 'string', default: '30' },
        concurrency: { type: 'string', default: '50' },
        rate: { type: 'string', default: '500' },
        traffic: { type: 'string', default: '30' },
        idle: { type: 'string', default: '10' },
        'no-cache': { type: 'boolean', default: false },
        plain: { type: 'boolean', default: false },
        json: { type: 'string' },
        snapshot: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    if (values.help) exit(0)
    const { store } = values
    if (!isStore(store)) throw new RangeError(`--store must be one of ${STORES.join(', ')}, got ${store}`)
    return {
      store,
      sessions: toCount('--sessions', values.sessions),
      keys: toCount('--keys', values.keys),
      concurrency: toCount('--concurrency', values.concurrency),
      rate: toCount('--rate', values.rate),
      trafficSeconds: toCount('--traffic', values.traffic),
      idleSeconds: toCount('--idle', values.idle),
      isEncrypted: !values.plain,
      isCached: !values['no-cache'],
      jsonFile: values.json,
      snapshotFile: values.snapshot,
    }
  } catch (error) {
    console.error(`${(error as Error).message}\n`)
    return exit(1)
  }
}

function isStore(name: string): name is StoreName {
  return STORES.some(store => store === name)
}

function toCount(name: string, text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1) return count
  throw new RangeError(`${name} must be a whole number of at least 1, got ${text}`)
}

function exit(code: number): never {
  console.log(USAGE)
  process.exit(code)
}
