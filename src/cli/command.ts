import type { Arguments, OptionSpecs } from './arguments.js'
import type { Context } from './context.js'

export interface CommandSpec {
  /** The arguments after the command's name, for the help. */
  usage: string
  summary: string
  options: OptionSpecs
  /** Returns the exit code. */
  run(given: Arguments, context: Context): Promise<number>
}
