import type { SettingFigure } from '../figures.js'
import { toDigits, toTable, toTime } from './format.js'
import { LABELS } from './select.js'

export function toSettingTable(setting: readonly SettingFigure[]): string {
  const rows = setting.map(figure => [
    `${figure.store}, ${LABELS[figure.contender]}`,
    toDigits(figure.perSecond),
    `${toTime(figure.read.p50Ms)}, ${toTime(figure.read.p99Ms)}`,
    `${toTime(figure.write.p50Ms)}, ${toTime(figure.write.p99Ms)}`,
    `${Math.round(figure.rssMiB)} (+${Math.round(figure.addedMiB)})`,
    `${figure.redisConnections}`,
    `${figure.mongoConnections}`,
    `${figure.operations.toLocaleString('en')} in ${Math.round(figure.seconds)} s`,
    figure.failed.toLocaleString('en'),
  ])
  const columns = [
    '100 sessions of 100 keys',
    'operations/s',
    'read p50, p99',
    'write p50, p99',
    'RSS, MiB (added)',
    'Redis connections',
    'MongoDB connections',
    'measured',
    'failed',
  ]
  return toTable(columns, rows)
}
