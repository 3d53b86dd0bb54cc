/** Values by name and labels, of Prometheus' text format. */
export function parseMetrics(text: string): Record<string, number> {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  return Object.fromEntries(
    lines.map(line => {
      const [, name, value] = /^(\S+(?: \S+)*?) (\S+)$/.exec(line) as unknown as [string, string, string]
      return [name, Number(value)]
    }),
  )
}
