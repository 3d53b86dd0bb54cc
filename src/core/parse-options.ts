import { closest } from 'fastest-levenshtein'
import * as v from 'valibot'
import { InvalidOptionError } from './errors.js'

/** Names of options whose values no message shows. */
const SECRETS = new Set(['masterKey', 'masterKeys'])

/** Throws `InvalidOptionError` for the first fault; the message names the option, what it must be, and what it is. */
export function parseOptions<S extends v.GenericSchema>(
  schema: S,
  options: unknown,
  prefix: string,
): v.InferOutput<S> {
  const result = v.safeParse(schema, options)
  if (result.success) return result.output
  throw new InvalidOptionError(describeIssue(schema, result.issues[0], prefix))
}

function describeIssue(schema: v.GenericSchema, issue: v.BaseIssue<unknown>, prefix: string): string {
  const keys = (issue.path ?? []).map(({ key }) => String(key))
  const name = [prefix, ...keys].filter(Boolean).join('.') || 'options'
  if (issue.expected === 'never') {
    const known = knownKeys(schema, keys.slice(0, -1))
    return `"${name}" is not an option; did you mean "${closest(keys.at(-1) ?? '', known)}"?`
  }
  if (issue.type === 'strict_object' && issue.received === 'undefined') return `"${name}" is missing`
  const isSecret = keys.some(key => SECRETS.has(key))
  return `"${name}" must be ${issue.message}${isSecret ? '' : `, got ${issue.received}`}`
}

type Nested = { wrapped?: Nested; entries?: Record<string, Nested> }

function knownKeys(schema: v.GenericSchema, path: readonly string[]): string[] {
  const unwrap = (nested: Nested): Nested => (nested.wrapped ? unwrap(nested.wrapped) : nested)
  const parent = path.reduce<Nested>((nested, key) => unwrap(nested).entries?.[key] ?? {}, schema as Nested)
  return Object.keys(unwrap(parent).entries ?? {})
}
