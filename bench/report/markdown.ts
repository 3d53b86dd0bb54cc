import { STORES } from '../cases/names.js'
import { type ContenderName, OPERATIONS, type Results } from '../figures.js'
import type { Aim } from './aim.js'
import { evaluateAims } from './aims.js'
import { toDigits, toRatio, toTable, toTime } from './format.js'
import { LABELS, medianMs, ratio, select } from './select.js'
import { toSettingTable } from './setting-table.js'

const KEYS = 1000

export function toAimsTable(aims: readonly Aim[]): string {
  const word = ({ isMet }: Aim) => (isMet === undefined ? 'not measured' : isMet ? 'yes' : '**no**')
  const rows = aims.map(aim => [aim.what, aim.aim, aim.reached, word(aim), aim.beside])
  return toTable(['p50', 'aim', 'reached', 'met', 'beside'], rows)
}

/** Ratios of one store: what the library adds to the driver, and what the peer takes beside it. */
export function toRatioTable({ figures }: Results, store: (typeof STORES)[number]): string {
  const ours = (['plain', 'encrypted', 'compressed', 'behind'] as const).filter(
    contender => select(figures, { case: store, contender }).length > 0,
  )
  const rows = OPERATIONS.map(operation => {
    const at = (contender: ContenderName, keys = KEYS) => ({ case: store, operation, contender, keys })
    return [
      operation,
      toTime(medianMs(figures, at('raw'))),
      ...ours.map(name => toRatio(ratio(figures, at(name), at('raw')))),
      toRatio(ratio(figures, at('peer'), at('compressed'))),
      toRatio(ratio(figures, at('plain', 10_000), at('plain', 100))),
      toRatio(ratio(figures, at('peer', 10_000), at('peer', 100))),
    ]
  })
  const columns = [
    '1,000 keys',
    'raw',
    ...ours.map(name => `${LABELS[name]} / raw`),
    'peer / ours',
    'ours, 10,000 / 100 keys',
    'peer, 10,000 / 100',
  ]
  return toTable(columns, rows)
}

export function toFallbackTable({ figures }: Results): string {
  const [raw] = select(figures, { case: 'fallback', contender: 'raw' })
  const rows = select(figures, { case: 'fallback' }).map(figure => [
    LABELS[figure.contender],
    raw ? toRatio(figure.p50Ms / raw.p50Ms) : '–',
    toTime(figure.p50Ms),
    toTime(figure.p99Ms),
  ])
  return toTable(['get 1 while Redis is empty', 'over raw find', 'p50', 'p99'], rows)
}

export function toCodecTable({ codec }: Results): string {
  const perSecond = (bytes: number, us: number) => `${toDigits(bytes / us)} MB/s`
  const rows = codec.map(one => [
    `${one.value}: ${one.cipher}, ${one.compression}`,
    toDigits(one.storedBytes / one.jsonBytes),
    one.storedBytes.toLocaleString('en'),
    toTime(one.encodeUs / 1000),
    perSecond(one.jsonBytes, one.encodeUs),
    toTime(one.decodeUs / 1000),
    perSecond(one.jsonBytes, one.decodeUs),
  ])
  return toTable(
    ['value: cipher, compression', 'of its JSON', 'bytes', 'encode', 'of JSON', 'decode', 'of JSON'],
    rows,
  )
}

/** Every figure there is. */
function toFigureTable({ figures }: Results): string {
  const rows = figures.map(figure => [
    `${figure.case}: ${figure.operation}`,
    LABELS[figure.contender],
    figure.keys.toLocaleString('en'),
    toTime(figure.p50Ms),
    toTime(figure.p99Ms),
    toTime(figure.cpuMs),
    figure.samples.toLocaleString('en'),
  ])
  return toTable(['case', 'contender', 'keys', 'p50', 'p99', 'CPU', 'samples'], rows)
}

export function toMachineTable({ measuredAt, machine, versions }: Results): string {
  const rows = Object.entries({ measured: measuredAt, ...machine, ...versions })
  return ['| | |', '| --- | --- |', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n')
}

/** The whole report: ratios first. */
export function toMarkdown(results: Results): string {
  const { failures, isQuick } = results
  const stores = STORES.filter(store => select(results.figures, { case: store }).length > 0)
  const missing = failures.map(({ what, reason }) => `- ${what}: ${reason}`)
  return [
    '# Results',
    'Made by `npm run bench`; [BENCHMARKS.md](../BENCHMARKS.md) tells how.',
    ...(isQuick ? ['**A quick run: the figures say little.**'] : []),
    toMachineTable(results),
    `## Aims\n\n${toAimsTable(evaluateAims(results))}`,
    ...stores.map(store => `## ${store}: ratios\n\n${toRatioTable(results, store)}`),
    `## The seed's setting\n\n${toSettingTable(results.setting)}`,
    `## MongoDB instead of Redis\n\n${toFallbackTable(results)}`,
    `## Codec\n\n${toCodecTable(results)}`,
    `## All times\n\n${toFigureTable(results)}`,
    ...(missing.length > 0 ? [`## Not measured\n\n${missing.join('\n')}`] : []),
  ].join('\n\n')
}
