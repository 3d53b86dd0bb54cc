import type { Field, KeysByType } from '../auth-store.js'

/**
 * A patch that removes these keys, except those that `others` gives a value. The names come from a database: none of
 * them may reach a prototype's member.
 */
export function toRemoval(fields: readonly Field[], others: KeysByType = {}): KeysByType {
  const byType = new Map<string, [id: string, value: unknown][]>()
  const put = (type: string, entry: [id: string, value: unknown]) => {
    const entries = byType.get(type)
    if (entries) entries.push(entry)
    else byType.set(type, [entry])
  }
  for (const { type, id } of fields) put(type, [id, null])
  for (const [type, values] of Object.entries(others)) {
    for (const entry of Object.entries(values ?? {})) put(type, entry)
  }
  return Object.fromEntries([...byType].map(([type, entries]) => [type, Object.fromEntries(entries)]))
}
