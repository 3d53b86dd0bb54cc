/** Keeps what is logged. */
export function makeLogger() {
  const lines: [level: string, context: object, message: string][] = []
  const write = (level: string) => (context: object, message: string) =>
    void lines.push([level, context, message])
  const logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  return { logger, lines }
}
