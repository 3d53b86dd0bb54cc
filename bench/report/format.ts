/** Three digits that count, at the most. */
export function toTime(ms: number | undefined): string {
  if (ms === undefined || Number.isNaN(ms)) return '–'
  if (ms >= 1000) return `${toDigits(ms / 1000)} s`
  return ms >= 1 ? `${toDigits(ms)} ms` : `${toDigits(ms * 1000)} µs`
}

export function toRatio(ratio: number | undefined): string {
  return ratio === undefined || Number.isNaN(ratio) ? '–' : `${toDigits(ratio)} ×`
}

export function toDigits(number: number): string {
  if (number >= 100) return Math.round(number).toLocaleString('en')
  return number >= 10 ? number.toFixed(1) : number.toFixed(2)
}

export function toTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const [, ...numbers] = columns
  return [line(columns), line(['---', ...numbers.map(() => '--:')]), ...rows.map(line)].join('\n')
}
