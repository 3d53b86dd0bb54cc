import type { ScaleOptions } from './arguments.js'
import type { Load, Percentiles } from './load.js'
import type { Memory } from './memory.js'

export interface Figures {
  options: Pick<
    ScaleOptions,
    'store' | 'sessions' | 'keys' | 'concurrency' | 'rate' | 'isEncrypted' | 'isCached'
  >
  node: string
  phases: readonly Phase[]
  /** A session. */
  memory: Record<'creds' | 'opened' | 'idle', Memory>
  failedMessages: number
  mostMessagesUnderWay: number
  redisClients: number | undefined
  sockets: number
  timers: { before: number; idle: number }
}

export interface Phase {
  name: string
  load: Load
  calls?: { count: number; times: Percentiles }
}

export function printReport(figures: Figures): void {
  const { options, node, phases, memory } = figures
  const { store, sessions, keys, concurrency, rate, isEncrypted, isCached } = options
  const sealing = isEncrypted ? 'encrypted' : 'not encrypted'
  const caching = isCached ? 'with the cache' : 'without the cache'
  console.log(`
${sessions} sessions in one process on ${store}, each with creds and ${keys} keys of 1 KB, ${sealing}, ${caching}; Node ${node}.
${concurrency} are opened or closed at once; ${rate} messages a second in all, a get and a set each.
`)
  printTable(
    ['phase', 'seconds', 'calls a second', 'p50 ms', 'p99 ms', 'loop delay p50 / p99 / max ms', 'CPU'],
    phases.map(toRow),
  )
  printTable(
    ['memory a session, KB', 'heap', 'external', 'RSS'],
    [
      ['creds alone', ...toKb(memory.creds)],
      ['open', ...toKb(memory.opened)],
      ['idle after the messages', ...toKb(memory.idle)],
    ],
  )
  const { redisClients, sockets, timers, failedMessages, mostMessagesUnderWay } = figures
  printTable(
    ['of the process', ''],
    [
      ...(redisClients === undefined ? [] : [['connections to Redis', `${redisClients}`]]),
      ['sockets', `${sockets}`],
      ['timers before / idle', `${timers.before} / ${timers.idle}`],
      ['failed messages', `${failedMessages}`],
      ['most messages under way', `${mostMessagesUnderWay}`],
    ],
  )
}

function toRow({ name, load, calls }: Phase): string[] {
  const { p50Ms, p99Ms, maxMs } = load.loopDelay
  const delays = [p50Ms, p99Ms, maxMs].map(ms => ms.toFixed(1)).join(' / ')
  const ofCalls =
    calls === undefined
      ? ['–', '–', '–']
      : [(calls.count / load.seconds).toFixed(0), calls.times.p50Ms.toFixed(2), calls.times.p99Ms.toFixed(2)]
  return [name, load.seconds.toFixed(1), ...ofCalls, delays, `${load.cpuPercent.toFixed(0)} %`]
}

function toKb({ heapBytes, externalBytes, rssBytes }: Memory): string[] {
  return [heapBytes, externalBytes, rssBytes].map(bytes => (bytes / 1000).toFixed(1))
}

function printTable(head: readonly string[], rows: readonly (readonly string[])[]): void {
  const toLine = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const aligned = head.map((_, column) => (column === 0 ? '---' : '--:'))
  console.log(`${[head, aligned, ...rows].map(toLine).join('\n')}\n`)
}
