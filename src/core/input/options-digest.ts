import { createHash } from 'node:crypto'
import { InvalidOptionError } from '../errors.js'
import { isObject } from '../is-object.js'
import { readGiven } from './read-given.js'

/** Deeper options, and longer lists, are compared by identity: they are not checked yet. */
const MAX_DEPTH = 8
const MAX_LENGTH = 1000

const identities = new WeakMap<object, number>()
let lastIdentity = 0

/**
 * The same name for options that say the same: data by its contents, functions, clients and contexts by their identity.
 * A digest, since options hold secrets. Throws `InvalidOptionError` for options that throw when they are read.
 */
export function digestOptions(options: unknown): string {
  const text = readGiven(
    () => describe(options),
    cause => new InvalidOptionError('An option throws when it is read.', { cause }),
  )
  return createHash('sha256').update(text).digest('hex')
}

function describe(value: unknown, depth = 0): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value !== 'function' && !isObject(value)) return `${typeof value} ${String(value)}`
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
  if (Array.isArray(value) && depth < MAX_DEPTH && value.length <= MAX_LENGTH)
    return `[${value.map(item => describe(item, depth + 1)).join()}]`
  if (Object.getPrototypeOf(value) !== Object.prototype || depth >= MAX_DEPTH) return `#${identify(value)}`
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(([name, member]) => `${JSON.stringify(name)}:${describe(member, depth + 1)}`)
  return `{${members.sort().join()}}`
}

function identify(value: object): number {
  const known = identities.get(value) ?? ++lastIdentity
  identities.set(value, known)
  return known
}
