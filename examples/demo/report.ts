import { readFileSync } from 'node:fs'
import { serialize } from '@luoarch/baileys-store-core'
import { type Database, openStore } from './database.js'

export interface Table {
  head: readonly string[]
  rows: readonly (readonly (string | number)[])[]
}

/** What the sessions hold: one row a type of key, sizes as JSON before encryption. */
export async function tabulateKeys(database: Database, masterKey: string): Promise<Table> {
  const store = await openStore(database, masterKey)
  const sizes = new Map<string, number[]>()
  const add = (type: string, value: unknown) => {
    sizes.set(type, [...(sizes.get(type) ?? []), Buffer.byteLength(serialize(value))])
  }
  for await (const { sessionId } of store.sessions()) {
    const session = await store.get(sessionId)
    add('creds', session?.data.creds)
    for (const [type, values] of Object.entries(session?.data.keys ?? {})) {
      for (const value of Object.values(values)) add(type, value)
    }
  }
  await store.close()
  const rows = [...sizes].sort(([a], [b]) => a.localeCompare(b))
  return {
    head: ['stored', 'values', 'bytes', 'largest'],
    rows: rows.map(([type, bytes]) => [type, bytes.length, sum(bytes), Math.max(...bytes)]),
  }
}

/** Times in milliseconds, over all bots and all their lives. */
export function tabulateTimes(timesFile: string): Table {
  const times = new Map<string, number[]>()
  for (const line of readFileSync(timesFile, 'utf8').split('\n').filter(Boolean)) {
    const [name, ms] = JSON.parse(line) as [string, number]
    times.set(name, [...(times.get(name) ?? []), ms])
  }
  return {
    head: ['operation', 'calls', 'p50 ms', 'p99 ms'],
    rows: [...times]
      .sort()
      .map(([name, all]) => [name, all.length, percentile(all, 50), percentile(all, 99)]),
  }
}

export function say(what: string): void {
  console.log(`\n${what}\n`)
}

export function printTable({ head, rows }: Table): void {
  const lines = [head, ...rows].map(cells => cells.map(String))
  const widths = head.map((_, column) => Math.max(...lines.map(cells => cells[column]?.length ?? 0)))
  for (const cells of lines) {
    const [first = '', ...others] = cells
    const numbers = others.map((cell, i) => cell.padStart(widths[i + 1] ?? 0))
    console.log(`  ${first.padEnd(widths[0] ?? 0)}  ${numbers.join('  ')}`)
  }
  console.log()
}

function percentile(times: readonly number[], percent: number): string {
  const sorted = [...times].sort((a, b) => a - b)
  return (sorted[Math.ceil((percent / 100) * sorted.length) - 1] ?? 0).toFixed(2)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
