/** A trace in the Informal Trace Format, as far as the model needs it. */
export interface Trace {
  states: readonly Readonly<Record<string, unknown>>[]
}

/** Each step: the action, what was drawn for it, and the members of the state that it changes. */
export function formatTrace({ states }: Trace): string {
  return states
    .map((state, index) => {
      const before = states[index - 1]
      const changes = before === undefined ? [] : findChanges(toPlain(before.s), toPlain(state.s), '')
      const head = [index, state['mbt::actionTaken'], ...formatPicks(state['mbt::nondetPicks'])].join(' ')
      return [head, ...changes.map(change => `     ${change}`)].join('\n')
    })
    .join('\n')
}

function formatPicks(picks: unknown): string[] {
  return Object.entries(picks ?? {}).flatMap(([name, pick]) => {
    const { tag, value } = pick as { tag: string; value: unknown }
    return tag === 'Some' ? [`${name}=${JSON.stringify(toPlain(value))}`] : []
  })
}

function findChanges(before: unknown, after: unknown, path: string): string[] {
  const [from, to] = [JSON.stringify(before), JSON.stringify(after)]
  if (from === to) return []
  if (!isRecord(before) || !isRecord(after)) return [`${path}: ${from} → ${to}`]
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].flatMap(name =>
    findChanges(before[name], after[name], path === '' ? name : `${path}.${name}`),
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Numbers, sets and maps of the format as those of JSON; of a variant its name. */
function toPlain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toPlain)
  if (!isRecord(value)) return value
  if ('#bigint' in value) return Number(value['#bigint'])
  if ('#set' in value) {
    const members = (value['#set'] as unknown[]).map(toPlain)
    return members.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)))
  }
  if ('#map' in value) {
    const entries = value['#map'] as [unknown, unknown][]
    return Object.fromEntries(entries.map(([key, one]) => [String(toPlain(key)), toPlain(one)]))
  }
  if ('tag' in value && Object.keys(value).length === 2) return value.tag
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, toPlain(one)]))
}
