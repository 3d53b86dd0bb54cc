import manifest from '../../package.json' with { type: 'json' }
import { parseArguments } from './arguments.js'
import { COMMANDS } from './commands.js'
import { type Context, DONE, FAILED, MISUSED } from './context.js'
import { describeCommand, describeProgram, PROGRAM } from './help.js'
import { Misuse } from './misuse.js'
import { createOutput } from './output.js'

const COMMON = {
  json: { help: 'Print one JSON object a line' },
  help: { help: 'Show this' },
}

/** Runs the command line, and returns its exit code: 0 done, 1 failed, 2 misuse. `args`: after the program's name. */
export async function run(args: readonly string[]): Promise<number> {
  const interruption = new AbortController()
  const interrupt = () => interruption.abort()
  const output = createOutput(args.includes('--json'))
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  try {
    return await execute(args, { output, signal: interruption.signal })
  } catch (error) {
    output.error(error)
    return error instanceof Misuse ? MISUSED : FAILED
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}

async function execute([name = '--help', ...rest]: readonly string[], context: Context): Promise<number> {
  if (name === '--version') return print(manifest.version)
  if (name === '--help') return print(describeProgram(COMMANDS))
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) throw new Misuse(`There is no command "${name}". See ${PROGRAM} --help.`)
  const options = { ...command.options, ...COMMON }
  const given = parseArguments(rest, options)
  if (given.has('help')) return print(describeCommand(name, { ...command, options }))
  return command.run(given, context)
}

function print(text: string): number {
  process.stdout.write(`${text}\n`)
  return DONE
}
