import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface LimitedRedis {
  readonly url: string
  /** Commands that were refused. */
  readonly refused: number
  close(): Promise<void>
}

/** What is sent in the place of a command that is too long, so that its error comes in its turn. */
const REFUSED = Buffer.from('*1\r\n$18\r\nTOO-MANY-ARGUMENTS\r\n')

/** A Redis that refuses a command of more than `most` arguments, its name among them, as some services do. */
export async function limitArguments(serverPort: number, most: number): Promise<LimitedRedis> {
  const sockets = new Set<Socket>()
  let refused = 0
  const listener = createServer(client => {
    const server = connect(serverPort, '127.0.0.1')
    const commands = new CommandReader((count, bytes) => {
      if (count > most) refused++
      server.write(count > most ? REFUSED : bytes)
    })
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket
        .on('error', () => {})
        .on('close', () => {
          client.destroy()
          server.destroy()
        })
    }
    client.on('data', bytes => commands.push(bytes))
    server.on('data', bytes => client.write(bytes))
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return {
    url: `redis://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    get refused() {
      return refused
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      listener.close()
      await once(listener, 'close')
    },
  }
}

/** Takes a stream of RESP apart: `*<count>`, and for each argument `$<length>` and its bytes. */
class CommandReader {
  readonly #onCommand: (count: number, bytes: Buffer) => void
  #rest: Buffer[] = []

  constructor(onCommand: (count: number, bytes: Buffer) => void) {
    this.#onCommand = onCommand
  }

  push(bytes: Buffer): void {
    this.#rest.push(bytes)
    let stream = Buffer.concat(this.#rest)
    for (;;) {
      const found = readCommand(stream)
      if (found === undefined) break
      this.#onCommand(found.count, stream.subarray(0, found.end))
      stream = stream.subarray(found.end)
    }
    this.#rest = [stream]
  }
}

function readCommand(stream: Buffer): { count: number; end: number } | undefined {
  let at = stream.indexOf('\r\n')
  if (at < 0) return undefined
  const count = Number(stream.toString('latin1', 1, at))
  let end = at + 2
  for (let i = 0; i < count; i++) {
    at = stream.indexOf('\r\n', end)
    if (at < 0) return undefined
    end = at + 2 + Number(stream.toString('latin1', end + 1, at)) + 2
    if (end > stream.length) return undefined
  }
  return { count, end }
}
