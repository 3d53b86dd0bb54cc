import { expect, test } from 'vitest'
import type { Figure, Results } from '../../bench/figures.js'
import { percentile, toLatency } from '../../bench/percentile.js'
import { evaluateAims } from '../../bench/report/aims.js'
import { toRatio, toTable, toTime } from '../../bench/report/format.js'
import { toMarkdown } from '../../bench/report/markdown.js'
import { fillMarked } from '../../bench/report/marked.js'
import { plotStore } from '../../bench/report/plots.js'

const NOTHING: Results = {
  measuredAt: '2025-01-01T00:00:00.000Z',
  isQuick: false,
  machine: {},
  versions: {},
  figures: [],
  codec: [],
  setting: [],
  failures: [],
}

function toFigure(contender: Figure['contender'], p50Ms: number, keys = 1000): Figure {
  const where = { case: 'redis', store: 'redis', operation: 'get 1', bytes: 1024 } as const
  return { ...where, contender, keys, samples: 9, p50Ms, p99Ms: p50Ms, cpuMs: p50Ms / 2 }
}

test('a percentile is a sample, by the nearest rank', () => {
  const sorted = Array.from({ length: 200 }, (_, n) => n + 1)
  expect([0.5, 0.99, 1].map(part => percentile(sorted, part))).toEqual([100, 198, 200])
  expect(toLatency([3, 1, 2])).toEqual({ samples: 3, p50Ms: 2, p99Ms: 3 })
})

test('an aim is met, missed or not measured', () => {
  const aimsOf = (...figures: Figure[]) => evaluateAims({ ...NOTHING, figures })
  const [first] = aimsOf(toFigure('raw', 0.1), toFigure('plain', 0.13), toFigure('encrypted', 0.2))
  expect(first).toMatchObject({ reached: '1.30 ×', isMet: true, beside: 'encrypted 2.00 ×' })
  expect(aimsOf(toFigure('raw', 0.1), toFigure('plain', 0.14))[0]).toMatchObject({ isMet: false })
  expect(aimsOf().every(({ isMet }) => isMet === undefined)).toBe(true)
})

test('growth is judged by the worst operation', () => {
  const figures = [toFigure('plain', 1, 100), toFigure('plain', 1.1, 10_000)]
  const all = evaluateAims({
    ...NOTHING,
    figures: [
      ...figures,
      ...figures.map(figure => ({ ...figure, operation: 'open' as const, p50Ms: figure.keys })),
    ],
  })
  expect(all.find(({ what }) => what.startsWith('redis: any operation'))).toMatchObject({
    reached: '100 ×',
    isMet: false,
    beside: 'open, this library',
  })
})

test('times and ratios show three digits', () => {
  expect([0.0123, 0.25, 12.345, 1234].map(toTime)).toEqual(['12.3 µs', '250 µs', '12.3 ms', '1.23 s'])
  expect([1.234, 56.78, 1234].map(toRatio)).toEqual(['1.23 ×', '56.8 ×', '1,234 ×'])
  expect([toTime(undefined), toRatio(Number.NaN)]).toEqual(['–', '–'])
})

test('a table is Markdown, and is inserted between its marks', () => {
  expect(toTable(['a', 'b'], [['1', '2']])).toBe('| a | b |\n| --- | --: |\n| 1 | 2 |')
  const page = 'x\n<!-- bench:t -->old<!-- /bench:t -->\ny'
  expect(fillMarked(page, { t: 'new' })).toBe('x\n<!-- bench:t -->\n\nnew\n\n<!-- /bench:t -->\ny')
  expect(() => fillMarked(page, { other: '' })).toThrow('"other"')
})

test('a report contains whatever has been measured', () => {
  const results = { ...NOTHING, figures: [toFigure('plain', 0.2, 100), toFigure('plain', 0.3, 10_000)] }
  expect(toMarkdown(results)).toContain('## redis: ratios')
  expect(plotStore(results, 'redis')).toContain('<polyline points="62.0,')
})
