import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'

/** Each store, and the options that say where it is; without them the demo finds a place of its own. */
const PLACES = {
  sqlite: ['db'],
  redis: ['redis-url'],
  mongodb: ['mongo-url'],
  hybrid: ['redis-url', 'mongo-url'],
} as const
type Store = keyof typeof PLACES
const STORES = Object.keys(PLACES)

export interface DemoOptions {
  messages: number
  sessions: number
  store: Store
  /** `undefined`: a file in a temporary folder that is removed at the end. */
  path: string | undefined
  /** `undefined`: a server of the demo's own. */
  redisUrl: string | undefined
  mongoUrl: string | undefined
  /** Take MongoDB away while the bots talk, then Redis. */
  hasOutage: boolean
}

const USAGE = `npm run demo -- [--messages N] [--sessions N] [--store ${STORES.join('|')}] [--outage]

  --messages N      messages that each pair of bots exchanges; default 40
  --sessions N      bots, an even number; default 2
  --store NAME      where the sessions are kept: sqlite (default), redis, mongodb, or hybrid: in both of them
  --redis-url URL   the Redis to use, for redis and hybrid; by default the demo starts one of its own
  --mongo-url URL   the MongoDB to use, for mongodb and hybrid; likewise
  --outage          with --store hybrid, on the demo's own servers: take MongoDB away while the bots talk, then Redis;
                    takes a minute
  --db PATH         where the SQLite file is to be kept, to look at it afterwards; it must not exist yet
`

/** Prints the usage and ends the process when asked for it, or when an argument is wrong. */
export function readArguments(): DemoOptions {
  try {
    const { values } = parseArgs({
      options: {
        messages: { type: 'string', default: '40' },
        sessions: { type: 'string', default: '2' },
        store: { type: 'string', default: 'sqlite' },
        'redis-url': { type: 'string' },
        'mongo-url': { type: 'string' },
        db: { type: 'string' },
        outage: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h' },
      },
    })
    if (values.help) exit(0)
    const messages = toCount('--messages', values.messages, 8)
    const sessions = toCount('--sessions', values.sessions, 2)
    if (sessions % 2 !== 0) throw new RangeError(`--sessions must be even, got ${sessions}`)
    const { store, db: path, 'redis-url': redisUrl, 'mongo-url': mongoUrl } = values
    if (!isStore(store)) throw new RangeError(`--store must be one of ${STORES.join(', ')}, got ${store}`)
    for (const name of ['db', 'redis-url', 'mongo-url'] as const) {
      if (values[name] !== undefined) checkPlace(name, store)
    }
    if (path !== undefined && existsSync(path)) throw new Error(`${path} exists already`)
    if (values.outage) checkOutage(store, redisUrl ?? mongoUrl)
    return { messages, sessions, store, path, redisUrl, mongoUrl, hasOutage: values.outage }
  } catch (error) {
    console.error(`${(error as Error).message}\n`)
    return exit(1)
  }
}

function isStore(name: string): name is Store {
  return Object.hasOwn(PLACES, name)
}

function checkPlace(name: string, store: Store): void {
  const takers = STORES.filter(taker => isStore(taker) && PLACES[taker].some(place => place === name))
  if (!takers.includes(store))
    throw new RangeError(`--${name} goes with --store ${takers.join(' or ')}, got ${store}`)
}

function checkOutage(store: Store, url: string | undefined): void {
  if (store !== 'hybrid') throw new RangeError(`--outage goes with --store hybrid, got ${store}`)
  if (url === undefined) return
  throw new RangeError(
    "--outage kills servers: it goes with the demo's own, not with --redis-url or --mongo-url",
  )
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
