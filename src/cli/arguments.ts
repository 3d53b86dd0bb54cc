import { type ParseArgsConfig, parseArgs } from 'node:util'
import { Misuse } from './misuse.js'

export interface OptionSpec {
  /** The name of its value in the help; an option without one is on or off. */
  value?: string
  /** Can be given several times. */
  isList?: boolean
  help: string
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>

/** Node's parser: it takes every value as the text that was given, so that a session "007" stays one. */
export function parseArguments(args: readonly string[], specs: OptionSpecs): Arguments {
  const options: NonNullable<ParseArgsConfig['options']> = {}
  for (const [name, { value, isList = false }] of Object.entries(specs)) {
    options[name] = { type: value === undefined ? 'boolean' : 'string', multiple: isList }
  }
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    return new Arguments(values, positionals)
  } catch (error) {
    throw new Misuse((error as Error).message)
  }
}

export class Arguments {
  readonly #values: Readonly<Record<string, unknown>>
  readonly positionals: readonly string[]

  constructor(values: Readonly<Record<string, unknown>>, positionals: readonly string[]) {
    this.#values = values
    this.positionals = positionals
  }

  has(name: string): boolean {
    return this.#values[name] === true
  }

  text(name: string): string | undefined {
    return this.#values[name] as string | undefined
  }

  texts(name: string): string[] {
    return (this.#values[name] as string[] | undefined) ?? []
  }

  /** Above 0, and at most `most`. */
  number(name: string, most: number): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const number = Number(text)
    if (text.trim() !== '' && number > 0 && number <= most) return number
    throw new Misuse(`--${name} must be a number above 0, and at most ${most}.`)
  }

  /** The names of sessions, at least `least`, at most `most`. */
  sessions(least: number, most = Number.POSITIVE_INFINITY): readonly string[] {
    const { length } = this.positionals
    if (length < least) throw new Misuse('Name the session.')
    if (length > most) throw new Misuse(most === 0 ? 'The command takes no session.' : 'Name one session.')
    return this.positionals
  }
}
