import { closest, distance } from 'fastest-levenshtein'
import * as v from 'valibot'
import { InvalidOptionError } from '../errors.js'
import { readGiven } from './read-given.js'
import { showName, showSecret, showText, showUnlessText, showUrl } from './shown-values.js'

/** Messages show the length of SECRETS, and the scheme of URLS. A secret may stand elsewhere by mistake. */
const SECRETS = new Set(['masterKey', 'masterKeys', 'password', 'username', 'tls'])
const URLS = new Set(['redisUrl', 'mongoUrl'])

/**
 * Names from other entries of this library and from earlier releases, with their names here. The first one that the
 * schema has is suggested.
 */
const OTHER_NAMES: Readonly<Record<string, readonly string[]>> = {
  database: ['mongoDatabase'],
  databaseName: ['database', 'mongoDatabase'],
  mongoDatabase: ['database'],
  collection: ['mongoCollection'],
  collectionName: ['collection', 'mongoCollection'],
  mongoCollection: ['collection'],
  keyPrefix: ['prefix'],
  url: ['redisUrl', 'mongoUrl', 'path'],
  uri: ['redisUrl', 'mongoUrl', 'path'],
  client: ['redis', 'mongoClient', 'database'],
  file: ['path'],
  filename: ['path'],
  dbName: ['database', 'mongoDatabase'],
}
/** The stores whose options these are. */
const OF_OTHER_STORES: readonly [store: string, names: ReadonlySet<string>][] = [
  ['the SQLite store', new Set(['path', 'synchronous'])],
  ['the Redis store', new Set(['host', 'port', 'username', 'password', 'db', 'tls'])],
  ['the Redis and the hybrid store', new Set(['redisUrl', 'redisOptions', 'redis', 'prefix'])],
  ['the MongoDB store', new Set(['collection'])],
  ['the MongoDB and the hybrid store', new Set(['mongoUrl', 'mongoOptions', 'mongoClient'])],
  [
    'the hybrid store',
    new Set(['mongoDatabase', 'mongoCollection', 'enableWriteBehind', 'queue', 'outbox', 'degradedOpen']),
  ],
]
/** Options of the drivers that are looked for here, with the member that takes them. */
const OF_DRIVERS: readonly [member: string, names: ReadonlySet<string>][] = [
  [
    'redisOptions',
    new Set([
      'sentinels',
      'name',
      'sentinelPassword',
      'sentinelUsername',
      'family',
      'keepAlive',
      'natMap',
      'connectTimeout',
      'commandTimeout',
      'retryStrategy',
      'maxRetriesPerRequest',
    ]),
  ],
  [
    'mongoOptions',
    new Set([
      'replicaSet',
      'authSource',
      'tlsCAFile',
      'maxPoolSize',
      'directConnection',
      'w',
      'retryWrites',
      'readPreference',
      'serverSelectionTimeoutMS',
      'socketTimeoutMS',
    ]),
  ],
]
const STORES = ['sqlite', 'redis', 'mongodb', 'hybrid']
const OF_HOOKS = new Set([
  'sessionId',
  'ownership',
  'resetIdentity',
  'ignoreForeignData',
  'repairSenderKeys',
  'onOwnershipLost',
  'onRewind',
])
const OF_STORES = new Set([
  'masterKey',
  'masterKeys',
  'security',
  'resilience',
  'ttl',
  'observability',
  'cache',
  'path',
  'redisUrl',
  'mongoUrl',
  'mongoClient',
  'prefix',
  'enableWriteBehind',
])

/** Most edits, as a share of a name's letters, that still make it a misspelling of another. */
const MAX_EDITS_PART = 0.5

/**
 * Throws `InvalidOptionError` for the first fault. The message names the option, the expected value and the given one.
 */
export function parseOptions<S extends v.GenericSchema>(
  schema: S,
  options: unknown,
  prefix: string,
): v.InferOutput<S> {
  const result = readGiven(
    () => v.safeParse(schema, options),
    cause => new InvalidOptionError('An option throws when it is read.', { cause }),
  )
  if (result.success) return result.output
  // otherwise the intended option is "missing"
  const misspelled = result.issues.find(issue => issue.expected === 'never')
  throw new InvalidOptionError(describeIssue(schema, misspelled ?? result.issues[0], prefix))
}

/** For options that have to be there: an environment variable that is missing gives them as `undefined`. */
export function noteUndefined(options: object, names: readonly string[]): string {
  const missing = names.find(
    name => name in options && (options as Record<string, unknown>)[name] === undefined,
  )
  return missing === undefined ? '' : `"${missing}" is undefined; is an environment variable missing? `
}

function describeIssue(schema: v.GenericSchema, issue: v.BaseIssue<unknown>, prefix: string): string {
  const keys = (issue.path ?? []).map(({ key }) => String(key))
  const nameOf = (path: readonly string[]) => [prefix, ...path.map(showName)].filter(Boolean).join('.')
  const name = nameOf(keys) || 'options'
  if (issue.expected === 'never') {
    const client = clientMember(issue.path?.at(-1)?.input)
    const parent = nameOf(keys.slice(0, -1))
    if (client !== undefined)
      return `"${parent}" must be options, got a client: give it as ${parent}: { ${client}: … }`
    return `"${name}" is not an option; ${suggest(schema, keys)}`
  }
  if (issue.type === 'strict_object' && issue.received === 'undefined') {
    return `"${name}" is missing; it must be ${issue.message}`
  }
  return `"${name}" must be ${issue.message}${describeGiven(keys, issue)}`
}

/** The option that takes this client or database; `undefined`: it is none. */
function clientMember(value: unknown): string | undefined {
  const calls = value as Record<'defineCommand' | 'db' | 'connect' | 'prepare', unknown> | null | undefined
  if (typeof calls?.defineCommand === 'function') return 'redis'
  if (typeof calls?.db === 'function' && typeof calls.connect === 'function') return 'mongoClient'
  return typeof calls?.prepare === 'function' ? 'database' : undefined
}

function describeGiven(keys: readonly string[], issue: v.BaseIssue<unknown>): string {
  const shown = showGiven(keys, issue)
  return shown === undefined ? '' : `, got ${shown}`
}

function showGiven(
  keys: readonly string[],
  { input, received, message }: v.BaseIssue<unknown>,
): string | undefined {
  if (keys.some(key => SECRETS.has(key))) return showSecret(input, received)
  if (typeof input !== 'string') return showUnlessText(input) ?? received
  return keys.some(key => URLS.has(key)) ? showUrl(input, message) : showText(input)
}

function suggest(schema: v.GenericSchema, path: readonly string[]): string {
  const parents = path.slice(0, -1)
  const [name, known] = [path.at(-1) ?? '', knownKeys(schema, parents)]
  const isHook = known.includes('sessionId')
  const store = isHook ? known.find(one => STORES.includes(one)) : undefined
  if (store !== undefined && STORES.includes(name)) return `this hook takes "${store}".`
  if (store !== undefined && OF_STORES.has(name)) return `put it into "${store}": { … }.`
  if (store === undefined && OF_HOOKS.has(name)) return "it belongs to the hook, beside the store's options."
  if (!isHook && STORES.includes(name)) return `leave out "${name}": { … }, and give its members here.`
  const group = known.find(member => knownKeys(schema, [...parents, member]).includes(name))
  if (group !== undefined) return `put it into "${group}": { … }.`
  if (parents.length > 0 && knownKeys(schema, []).includes(name))
    return `it goes one level up, beside "${parents.at(-1)}".`
  const driver = OF_DRIVERS.find(([member, names]) => known.includes(member) && names.has(name))?.[0]
  if (driver !== undefined) return `put it into "${driver}": { … }.`
  const others = Object.hasOwn(OTHER_NAMES, name) ? OTHER_NAMES[name] : undefined
  const other = others?.find(candidate => known.includes(candidate))
  if (other !== undefined) return `did you mean "${other}"?`
  const owner = OF_OTHER_STORES.find(([, names]) => names.has(name))?.[0]
  if (owner !== undefined) return `it belongs to ${owner}.`
  const nearest = known.length > 0 ? closest(name, known) : ''
  const isNear = distance(name, nearest) <= MAX_EDITS_PART * Math.max(name.length, nearest.length)
  return isNear ? `did you mean "${nearest}"?` : `there are ${known.join(', ')}.`
}

type Nested = { wrapped?: Nested; entries?: Record<string, Nested> }

function knownKeys(schema: v.GenericSchema, path: readonly string[]): string[] {
  const unwrap = (nested: Nested): Nested => (nested.wrapped ? unwrap(nested.wrapped) : nested)
  const parent = path.reduce<Nested>((nested, key) => unwrap(nested).entries?.[key] ?? {}, schema as Nested)
  return Object.keys(unwrap(parent).entries ?? {})
}
