import type { OptionSpecs } from './arguments.js'
import type { CommandSpec } from './command.js'

export const PROGRAM = 'npx @luoarch/baileys-store-core'
const GAP = 2

export function describeProgram(commands: Readonly<Record<string, CommandSpec>>): string {
  const rows = Object.entries(commands).map(
    ([name, { usage, summary }]) => [`${name} ${usage}`, summary] as const,
  )
  return [
    `${PROGRAM} <command>`,
    '',
    ...toTable(rows),
    '',
    `Options of a command: ${PROGRAM} <command> --help`,
    'Exit codes: 0 done, 1 failed, 2 misuse.',
  ].join('\n')
}

export function describeCommand(name: string, { usage, summary, options }: CommandSpec): string {
  return [`${PROGRAM} ${name} ${usage}`, '', `${summary}.`, '', ...toTable(toRows(options))].join('\n')
}

function toRows(options: OptionSpecs): (readonly [string, string])[] {
  return Object.entries(options).map(([name, { value, help }]) => [
    value === undefined ? `--${name}` : `--${name} ${value}`,
    help,
  ])
}

function toTable(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length)) + GAP
  return rows.map(([left, right]) => `  ${left.padEnd(width)}${right}`)
}
