import { styleText } from 'node:util'

export interface Output {
  /** One result: an object a line with `--json`, else `text`. */
  result(record: object, text: string): void
  /** What the command does, on stderr. */
  note(text: string): void
  /** Never a stack: the codes of the library say what has happened. */
  error(error: unknown): void
}

export function createOutput(isJson: boolean): Output {
  return {
    result: (record, text) => {
      process.stdout.write(`${isJson ? JSON.stringify(record) : text}\n`)
    },
    note: text => {
      process.stderr.write(`${text}\n`)
    },
    error: error => {
      const { message } = error as Error
      const code = codeOf(error)
      const line = isJson
        ? JSON.stringify({ error: { code, message } })
        : `${paint('red', code ?? 'ERROR')} ${message}`
      process.stderr.write(`${line}\n`)
    },
  }
}

/** Of an error of the library. */
export function codeOf(error: unknown): string | undefined {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' ? code : undefined
}

function paint(colour: 'red', text: string): string {
  return process.stderr.isTTY && !process.env.NO_COLOR ? styleText(colour, text) : text
}
