import type { Filter, Update } from '../../../src/mongodb/client.js'
import { StandInError } from './stand-in-error.js'

export type StoredDocument = { _id: string } & Record<string, unknown>

/** What one collection holds, with the operators that the library uses: each method is what a server does at once. */
export class DocumentsMemory {
  #documents = new Map<string, StoredDocument>()

  /** In the order of `_id`. */
  find(filter: Filter): StoredDocument[] {
    const ids = idsOf(filter) ?? [...this.#documents.keys()]
    const candidates = ids.map(id => this.#documents.get(id)).filter(document => document !== undefined)
    return candidates
      .filter(document => matches(document, filter))
      .sort((a, b) => (a._id < b._id ? -1 : 1))
      .map(document => ({ ...document }))
  }

  /** `false`: there is one of that name. */
  insert(document: StoredDocument): boolean {
    if (this.#documents.has(document._id)) return false
    this.#documents.set(document._id, { ...document })
    return true
  }

  update(filter: Filter, { $set = {}, $unset = {} }: Partial<Update>, isMany = false): number {
    const found = this.find(filter).slice(0, isMany ? undefined : 1)
    for (const document of found) {
      const changed = { ...document, ...$set }
      for (const name of Object.keys($unset)) delete (changed as Record<string, unknown>)[name]
      this.#documents.set(document._id, changed)
    }
    return found.length
  }

  delete(filter: Filter): void {
    for (const { _id } of this.find(filter)) this.#documents.delete(_id)
  }

  snapshot(): ReadonlyMap<string, StoredDocument> {
    return new Map(this.#documents)
  }

  restore(snapshot: ReadonlyMap<string, StoredDocument>): void {
    this.#documents = new Map(snapshot)
  }
}

function idsOf({ _id }: Filter): string[] | undefined {
  if (typeof _id === 'string') return [_id]
  return (_id as { $in?: string[] } | undefined)?.$in
}

function matches(document: StoredDocument, filter: Filter): boolean {
  return Object.entries(filter).every(([path, condition]) => {
    const anyOf = () => (condition as Filter[]).some(alternative => matches(document, alternative))
    if (path === '$or') return anyOf()
    return path === '$nor' ? !anyOf() : fits(valueAt(document, path), condition)
  })
}

function valueAt(document: StoredDocument, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], document)
}

function fits(value: unknown, condition: unknown): boolean {
  if (condition === null) return value === undefined || value === null
  if (typeof condition !== 'object' || condition instanceof Date) return order(value) === order(condition)
  return Object.entries(condition as object).every(([operator, operand]) => compare(operator, value, operand))
}

function compare(operator: string, value: unknown, operand: unknown): boolean {
  const [a, b] = [order(value), order(operand)]
  if (operator === '$in') return (operand as unknown[]).some(one => order(one) === a)
  if (operator === '$eq') return a === b
  if (operator === '$not') return !fits(value, operand)
  if (operator === '$type') return (Array.isArray(value) ? 'array' : typeof value) === operand
  if (operator === '$nin') return !(operand as unknown[]).some(one => order(one) === a)
  // A comparison looks at values of the operand's type only.
  if (typeof a !== typeof b) return false
  if (operator === '$gte') return a >= b
  if (operator === '$gt') return a > b
  if (operator === '$lte') return a <= b
  if (operator === '$lt') return a < b
  throw new StandInError(`the stand-in does not know ${operator}`)
}

function order(value: unknown): string | number {
  return value instanceof Date ? value.getTime() : (value as string | number)
}
