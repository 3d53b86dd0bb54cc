import { expect, onTestFinished, test } from 'vitest'
import { CREDS_FIELD } from '../../src/core/backend.js'
import { createCodec } from '../../src/core/codec/codec.js'
import { nullLogger } from '../../src/core/logger.js'
import { Copier } from '../../src/core/store/copier.js'
import { NO_OBSERVER } from '../../src/core/store/observer.js'
import { Operations } from '../../src/core/store/operations.js'
import { RewindGuard } from '../../src/core/store/rewind-guard.js'
import { SessionMemory } from '../../src/core/store/session-memory.js'
import { toCodecOptions } from '../../src/core/store/store-settings.js'
import { FaultyBackend } from '../support/faulty-backend.js'
import { createSqliteFile } from '../support/sqlite-database.js'

const POLICY = { timeoutMs: 5000, maxRetries: 5, baseDelayMs: 1, multiplier: 1 }
const KEY = { type: 'session', id: 'a' }

test('a rewrite after a rewind does not overwrite what was written meanwhile', async () => {
  const file = await createSqliteFile()
  const raw = await file.open()
  onTestFinished(async () => {
    await raw.close()
    await file.remove()
  })
  const backend = new FaultyBackend(raw)
  const memory = new SessionMemory()
  const findOwner = async () => undefined
  const operations = new Operations({ retry: POLICY, observer: NO_OBSERVER, link: undefined, findOwner })
  const codec = await createCodec(toCodecOptions({}))
  const logger = nullLogger
  const copier = new Copier({ backend, codec, operations, memory, logger, keepMs: 0 })
  const guard = new RewindGuard({ backend, memory, operations, copier, logger })
  const writes = (text: string) => [{ ...KEY, bytes: Buffer.from(text) }]
  const creds = [{ ...CREDS_FIELD, bytes: Buffer.from('creds') }]
  await raw.commit('s', { operationId: '1', writes: creds })
  guard.noteCommit(
    's',
    { version: 10, updatedAtMs: 1, incarnation: '1', operation: '', durability: 'durable' },
    writes('old'),
    undefined,
  )

  backend.loseAnswers('commit')
  const read = guard.read('read', 's', () => backend.read('s', [KEY]))
  await expect.poll(() => backend.count('commit'), { interval: 1 }).toBeGreaterThan(0)
  const gate = backend.hold('commit')
  await gate.reached
  backend.heal()
  const written = await raw.commit('s', { operationId: '2', writes: writes('new') })
  guard.noteCommit('s', written, writes('new'), undefined)
  gate.open()

  expect((await read).values.map(String)).toEqual(['new'])
  const held = memory.writesAfter('s', 0)
  expect(held.map(({ write }) => Buffer.from(write.bytes ?? []).toString())).toEqual(['new'])
})
