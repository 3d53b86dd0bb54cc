import { InvalidOptionError } from '../core/errors.js'
import type { CollectionDescription, IndexDescription } from './client.js'

const ADVICE = 'Choose another collection for this library'

/** Types of `listCollections` other than `collection`. */
const TYPES: Readonly<Record<string, string>> = {
  view: 'takes no writes',
  timeseries: 'does not update single documents',
}
/** Options of `create` with which a collection does not keep our documents unchanged. */
const PROPERTIES: Readonly<Record<string, string>> = {
  capped: 'it drops its oldest documents',
  collation: 'it takes different names for the same one',
  encryptedFields: 'it refuses fields that the driver has not encrypted',
  temp: 'the server drops it at its next start',
  timeseries: 'it does not update single documents',
  viewOn: 'it takes no writes',
}

/** Dates in our documents that a TTL index must not use: it would remove documents in use. */
const DATES = ['updatedAt', 'createdAt', 'endsAt', 'keptUntil', 'leaseUntil']
const NUMBERS = ['v', 'late', 'fence', 'since', 'barredBelow']
const OTHERS = [
  'session',
  'isPart',
  'ops',
  'incarnation',
  'forks',
  'expiresAt',
  'intent',
  'writes',
  'data',
  'gone',
]
const FIELDS = new Set([...DATES, ...NUMBERS, ...OTHERS])
/** Indexes of these types refuse a document whose field is no place on a map. */
const GEOMETRIC = new Set<unknown>(['2d', '2dsphere', 'geoHaystack'])

/** Throws `INVALID_OPTION` for a collection that would refuse, change or remove our documents. */
export function checkCollection(name: string, { type, options = {} }: CollectionDescription): void {
  if (type !== undefined && TYPES[type]) {
    throw new InvalidOptionError(`"${name}" in MongoDB is a ${type}, which ${TYPES[type]}. ${ADVICE}.`)
  }
  const property = Object.keys(PROPERTIES).find(option => options[option])
  if (property !== undefined) {
    const why = PROPERTIES[property]
    throw new InvalidOptionError(
      `The collection "${name}" in MongoDB was created with "${property}": ${why}. ${ADVICE}.`,
    )
  }
  if (isValidating(options)) {
    throw new InvalidOptionError(
      `The collection "${name}" in MongoDB has a "validator", which may refuse the documents of this library. ` +
        `${ADVICE}, or remove the validator with collMod.`,
    )
  }
}

function isValidating({
  validator,
  validationAction,
  validationLevel,
}: NonNullable<CollectionDescription['options']>): boolean {
  const isEmpty = Object.keys(validator ?? {}).length === 0
  return !isEmpty && validationAction !== 'warn' && validationLevel !== 'off'
}

/** Throws `INVALID_OPTION` for an index that would refuse or remove our documents. Ignores harmless ones. */
export function checkIndexes(collection: string, indexes: readonly IndexDescription[]): void {
  for (const index of indexes) {
    const harm = harmOf(index)
    if (harm === undefined) continue
    throw new InvalidOptionError(
      `The collection "${collection}" in MongoDB has the index "${index.name}" on ${JSON.stringify(index.key)}, ` +
        `which ${harm}. ${ADVICE}, or drop the index.`,
    )
  }
}

function harmOf(index: IndexDescription): string | undefined {
  const { key, unique, prepareUnique, expireAfterSeconds } = index
  const fields = Object.keys(key)
  // An index with `_id` among its fields is unique in any case.
  if ((unique || prepareUnique) && (!fields.includes('_id') || index.collation)) {
    return 'is unique: it refuses documents of this library that have the same values there, or none'
  }
  if (expireAfterSeconds !== undefined && fields.some(field => DATES.includes(field))) {
    return 'is a TTL index: the server would remove documents that are in use'
  }
  const isOurs = (path: string) => FIELDS.has(path.split('.', 1)[0] as string)
  const geometric = fields.find(field => isOurs(field) && GEOMETRIC.has(key[field]))
  return geometric && `refuses documents whose "${geometric}" is no place on a map`
}
