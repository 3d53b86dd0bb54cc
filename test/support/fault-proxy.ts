import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface FaultProxy {
  readonly port: number
  /** Connections that have been made through it. */
  readonly connections: number
  /** Resets the connection in place of the next answer: the server has done what it was asked. */
  loseNextAnswer(): void
  /** What is asked from now on waits until the result is called. */
  hold(): () => void
  /** Every answer takes so much longer from now on. */
  delay(ms: number): void
  /** Resets every connection now. */
  reset(): void
  close(): Promise<void>
}

/** A TCP proxy to a port of this machine, which fails as networks do. */
export async function startFaultProxy(serverPort: number): Promise<FaultProxy> {
  const pairs = new Set<{ client: Socket; server: Socket }>()
  let connections = 0
  let losesAnswer = false
  let delayMs = 0
  let held: (() => void)[] | undefined

  const listener = createServer(client => {
    connections++
    const server = connect(serverPort, '127.0.0.1')
    const pair = { client, server }
    pairs.add(pair)
    const end = () => {
      pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) socket.setNoDelay(true).on('error', end).on('close', end)
    client.on('data', bytes => {
      if (held) held.push(() => server.write(bytes))
      else server.write(bytes)
    })
    server.on('data', bytes => {
      if (delayMs > 0) setTimeout(() => client.write(bytes), delayMs)
      else if (!losesAnswer) client.write(bytes)
      else {
        losesAnswer = false
        client.resetAndDestroy()
      }
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')

  const reset = () => {
    for (const { client } of pairs) client.resetAndDestroy()
  }
  return {
    port: (listener.address() as AddressInfo).port,
    get connections() {
      return connections
    },
    hold() {
      const requests: (() => void)[] = []
      held = requests
      return () => {
        held = undefined
        for (const send of requests) send()
      }
    },
    delay(ms) {
      delayMs = ms
    },
    loseNextAnswer() {
      losesAnswer = true
    },
    reset,
    async close() {
      reset()
      listener.close()
      await once(listener, 'close')
    },
  }
}
