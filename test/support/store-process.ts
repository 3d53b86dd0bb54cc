/** A process that writes to a session, so that several can, and so that it can be killed. See `store-child.ts`. */
import type { AuthStore } from '../../src/index.js'
import type { WriterOptions, WriterReport } from './store-child.js'

const { module, options, task }: WriterOptions = JSON.parse(process.argv[2] ?? '')
const { default: openStore }: { default: (options: unknown) => Promise<AuthStore> } = await import(module)
const store = await openStore(options)
const report = (said: WriterReport): void => void process.send?.(said)

if (task.kind === 'keys') {
  const ids = Array.from({ length: task.count }, (_, n) => `${task.prefix}${n}`)
  const written = await Promise.all(
    ids.map(id => store.set(task.sessionId, { creds: task.creds, keys: { session: { [id]: { id } } } })),
  )
  report({ versions: written.map(({ version }) => version) })
  await store.close()
  process.disconnect()
} else {
  for (let n = 1; ; n++) {
    const values = Object.fromEntries(Array.from({ length: task.width }, (_, i) => [`k${i}`, n]))
    await store.set(task.sessionId, { keys: { burst: values } })
    report({ acknowledged: n })
  }
}
