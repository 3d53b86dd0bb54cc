import { toDigits, toRatio } from './format.js'

export interface Aim {
  what: string
  aim: string
  reached: string
  /** `undefined`: not measured. */
  isMet: boolean | undefined
  /** What else is worth knowing. */
  beside: string
}

export function atMost(what: string, limit: number, reached: number | undefined, beside = ''): Aim {
  const isMet = reached === undefined ? undefined : reached <= limit
  return { what, aim: `≤ ${limit} ×`, reached: toRatio(reached), isMet, beside }
}

export function atLeast(what: string, limit: number, reached: number | undefined, beside = ''): Aim {
  const isMet = reached === undefined ? undefined : reached >= limit
  return { what, aim: `≥ ${toDigits(limit)} ×`, reached: toRatio(reached), isMet, beside }
}
