import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import type { Redis } from 'ioredis'
import { expect } from 'vitest'

/** What opening a store asks the server for in the background, once a connection, and what ends the counting. */
const NOT_COUNTED = ['info', 'config', 'echo']

/** A line of MONITOR: `+1700000000.000000 [0 127.0.0.1:50000] "hget" "key"`; within scripts the source is `lua`. */
const SENT_BY_CLIENT = /^\+[\d.]+ \[\d+ (?!lua\])[^\]]+\] "([^"]+)"/

/** Commands that clients have sent meanwhile, those within scripts left out. */
export async function countCommands(
  client: Redis,
  action: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const seen: string[] = []
  const stop = await monitor(client, command => seen.push(command))
  await action()
  await client.echo('end')
  await expect.poll(() => seen.at(-1)).toBe('echo')
  stop()
  const sent = seen.filter(command => !NOT_COUNTED.includes(command))
  return Object.fromEntries([...new Set(sent)].map(name => [name, sent.filter(one => one === name).length]))
}

/**
 * Over a socket of its own: ioredis takes a line that comes along with the answer to MONITOR for an answer of its
 * own, and fails with "Command queue state error".
 */
async function monitor({ options }: Redis, onCommand: (name: string) => void): Promise<() => void> {
  const socket = connect(options.port ?? 6379, options.host)
  const lines = createInterface({ input: socket })
  const answered = once(lines, 'line')
  lines.on('line', line => {
    const [, name] = SENT_BY_CLIENT.exec(line) ?? []
    if (name !== undefined) onCommand(name.toLowerCase())
  })
  socket.write('MONITOR\r\n')
  expect(await answered).toEqual(['+OK'])
  return () => socket.destroy()
}
