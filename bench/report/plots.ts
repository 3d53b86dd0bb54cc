import type { StoreName } from '../cases/names.js'
import { type ContenderName, OPERATIONS, type Results } from '../figures.js'
import { LABELS, select } from './select.js'
import { type Panel, toSvg } from './svg.js'

const COLOURS: Readonly<Record<ContenderName, string>> = {
  raw: '#8b949e',
  json: '#57606a',
  plain: '#0969da',
  encrypted: '#1a7f37',
  compressed: '#8250df',
  behind: '#0e9aa7',
  cached: '#bf8700',
  files: '#953800',
  'files, cached': '#bc4c00',
  peer: '#cf222e',
}
/** `set 812` adds as many keys as it is about. */
const PLOTTED = OPERATIONS.filter(operation => operation !== 'set 812')

/** What each operation costs over the number of keys in the session. */
export function plotStore({ figures }: Results, store: StoreName): string {
  const panels = PLOTTED.map((operation): Panel => {
    const found = select(figures, { case: store, operation })
    const contenders = [...new Set(found.map(({ contender }) => contender))]
    return {
      title: operation,
      series: contenders.map(contender => ({
        label: LABELS[contender],
        colour: COLOURS[contender],
        isDashed: contender === 'raw' || contender === 'json',
        points: found
          .filter(figure => figure.contender === contender)
          .map(({ keys, p50Ms }) => [keys, p50Ms] as const),
      })),
    }
  })
  return toSvg(
    `${store}: p50 of a call, by keys in the session`,
    panels.filter(({ series }) => series.length > 0),
  )
}
