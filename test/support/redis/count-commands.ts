import type { Redis } from 'ioredis'
import { expect } from 'vitest'

/** What opening a store asks the server for in the background, once a connection, and what ends the counting. */
const NOT_COUNTED = ['info', 'config', 'echo']

/** Commands that clients have sent meanwhile, those within scripts left out. */
export async function countCommands(
  client: Redis,
  action: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const monitor = await client.monitor()
  const seen: string[] = []
  monitor.on('monitor', (_time: string, [command = '']: string[], source: string) => {
    if (source !== 'lua') seen.push(command.toLowerCase())
  })
  await action()
  await client.echo('end')
  await expect.poll(() => seen.at(-1)).toBe('echo')
  monitor.disconnect()
  const sent = seen.filter(command => !NOT_COUNTED.includes(command))
  return Object.fromEntries([...new Set(sent)].map(name => [name, sent.filter(one => one === name).length]))
}
