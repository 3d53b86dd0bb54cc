import type { ContenderName, Figure } from '../figures.js'

export type Where = Partial<Pick<Figure, 'case' | 'store' | 'operation' | 'contender' | 'keys'>>

export function select(figures: readonly Figure[], where: Where): Figure[] {
  const conditions = Object.entries(where)
  return figures.filter(figure => conditions.every(([name, value]) => figure[name as keyof Where] === value))
}

export function medianMs(figures: readonly Figure[], where: Where): number | undefined {
  return select(figures, where)[0]?.p50Ms
}

/** How many times what `over` takes `of` does; `undefined` where one of them was not measured. */
export function ratio(figures: readonly Figure[], of: Where, over: Where): number | undefined {
  const [a, b] = [medianMs(figures, of), medianMs(figures, over)]
  return a === undefined || b === undefined ? undefined : a / b
}

/** As the reader is told. */
export const LABELS: Readonly<Record<ContenderName, string>> = {
  raw: 'raw driver',
  json: 'raw driver, JSON',
  plain: 'this library',
  encrypted: 'AES-256-GCM',
  compressed: 'AES-256-GCM, Snappy',
  behind: 'write-behind',
  cached: 'AES-256-GCM, cache',
  files: "Baileys' files",
  'files, cached': "Baileys' files, with its cache",
  peer: 'peer',
}
