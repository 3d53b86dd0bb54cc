/** What the servers that tests start have in common. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Programs that were downloaded or built. */
export const CACHE = process.env.BAILEYS_STORE_TEST_CACHE ?? join(homedir(), '.cache', 'baileys-store-core')

/** With SIGKILL; resolves when it is gone. */
export async function killProcess(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  server.kill('SIGKILL')
  await exited
}

/** Stops it from answering, with its connections open; resolves when it has stopped. */
export async function freezeProcess(server: ChildProcess): Promise<void> {
  server.kill('SIGSTOP')
  while (!(await isStopped(server.pid as number))) await sleep(5)
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

export function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Resolves when the program takes connections. */
export async function listening(server: ChildProcess, port: number): Promise<void> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    if (server.exitCode !== null) throw new Error(`the server has ended with code ${server.exitCode}`)
    const socket = connect(port, '127.0.0.1')
    const isUp = await Promise.race([once(socket, 'connect'), once(socket, 'error')]).then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (isUp) return
    await sleep(10)
  }
  throw new Error(`nothing listens on port ${port}`)
}

async function isStopped(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')
}
