import { type ContenderName, OPERATIONS, type Results } from '../figures.js'
import { type Aim, atLeast, atMost } from './aim.js'
import { toRatio, toTime } from './format.js'
import { LABELS, medianMs, ratio, type Where } from './select.js'
import { settingAims } from './setting-aims.js'

/** What a reader of the first page wants to know: the cost of a read, of a large session, and of many. */
const MAIN = new Set([
  'redis: get 1 over raw HMGET',
  'redis: any operation with 10,000 keys, over 100',
  'redis: connections of 100 sessions to Redis',
])
const KEYS = 1000
const OURS = ['plain', 'encrypted', 'compressed', 'behind'] as const
const STORES = ['redis', 'mongodb', 'hybrid', 'sqlite'] as const
const WITH_PEER = ['redis', 'mongodb', 'hybrid'] as const

export function evaluateAims(results: Results): Aim[] {
  return [
    ...overRaw(results),
    ...cached(results),
    ...STORES.map(store => growth(results, store)),
    ...WITH_PEER.flatMap(store => [overPeer(results, store, 'get 1'), overPeer(results, store, 'set 1')]),
    ...settingAims(results.setting),
    ...encryption(results),
  ]
}

export function isMain({ what }: Aim): boolean {
  return MAIN.has(what)
}

function overRaw({ figures }: Results): Aim[] {
  const limits = [
    ['redis', 'get 1', 1.3, 'HMGET'],
    ['redis', 'get 50', 1.6, 'HMGET'],
    ['redis', 'set 1', 1.3, 'a script of the same bytes'],
    ['redis', 'set 50', 1.6, 'a script of the same bytes'],
    ['mongodb', 'get 1', 1.3, 'find'],
    ['mongodb', 'get 50', 1.6, 'find'],
    ['hybrid', 'get 1', 1.4, 'HMGET'],
  ] as const
  return limits.map(([store, operation, limit, raw]) => {
    const where = { case: store, operation, keys: KEYS }
    const over = (contender: ContenderName) =>
      ratio(figures, { ...where, contender }, { ...where, contender: 'raw' })
    const beside = `encrypted ${toRatio(over('encrypted'))}`
    return atMost(`${store}: ${operation} over raw ${raw}`, limit, over('plain'), beside)
  })
}

function cached({ figures }: Results): Aim[] {
  const where: Where = { case: 'cache', operation: 'get 1' }
  const ms = medianMs(figures, { ...where, contender: 'cached' })
  const faster = ratio(figures, { ...where, contender: 'encrypted' }, { ...where, contender: 'cached' })
  return [
    {
      what: "redis: get 1 from the owner's cache",
      aim: '≤ 20 µs',
      reached: toTime(ms),
      isMet: ms === undefined ? undefined : ms <= 0.02,
      beside: '',
    },
    atLeast('redis: get 1 without the cache, over with it', 20, faster),
  ]
}

/** The worst of all operations. */
function growth({ figures }: Results, store: (typeof STORES)[number]): Aim {
  const all = OURS.flatMap(contender =>
    OPERATIONS.map(operation => {
      const where = { case: store, contender, operation }
      const grown = ratio(figures, { ...where, keys: 10_000 }, { ...where, keys: 100 })
      return { grown: grown ?? 0, contender, operation }
    }),
  )
  const worst = all.reduce((most, one) => (one.grown > most.grown ? one : most))
  const what = `${store}: any operation with 10,000 keys, over 100`
  if (worst.grown === 0) return atMost(what, 1.2, undefined)
  return atMost(what, 1.2, worst.grown, `${worst.operation}, ${LABELS[worst.contender]}`)
}

function overPeer(
  { figures }: Results,
  store: (typeof WITH_PEER)[number],
  operation: 'get 1' | 'set 1',
): Aim {
  const where = { case: store, operation, keys: KEYS }
  const times = ratio(figures, { ...where, contender: 'peer' }, { ...where, contender: 'compressed' })
  return atLeast(`${store}: ${operation} of the peer, over ours`, 500, times, 'both encrypt and compress')
}

function encryption({ figures }: Results): Aim[] {
  return (['get 1', 'set 1'] as const).map(operation => {
    const where: Where = { case: 'encryption', operation }
    const times = ratio(figures, { ...where, contender: 'encrypted' }, { ...where, contender: 'plain' })
    return atMost(`redis: ${operation} of 2 KB with encryption, over without`, 1.2, times)
  })
}
