import type { CommandStartedEvent, MongoClient } from 'mongodb'

/** Commands that the client has sent meanwhile; it has to monitor them. */
export async function recordCommands(
  client: MongoClient,
  action: () => Promise<unknown>,
): Promise<CommandStartedEvent[]> {
  const seen: CommandStartedEvent[] = []
  const note = (event: CommandStartedEvent) => void seen.push(event)
  client.on('commandStarted', note)
  await action()
  client.off('commandStarted', note)
  return seen
}

/** But for the building of indexes, which nothing waits for. */
export function toNames(commands: readonly CommandStartedEvent[]): string[] {
  return commands.map(({ commandName }) => commandName).filter(name => name !== 'createIndexes')
}
