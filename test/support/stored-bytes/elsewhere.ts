import { createCodec } from '../../../src/core/codec/codec.js'
import { nullLogger } from '../../../src/core/logger.js'
import { CodecStore } from '../../../src/core/store/codec-store.js'
import { SessionMemory } from '../../../src/core/store/session-memory.js'
import { toCodecOptions } from '../../../src/core/store/store-settings.js'
import type { StoreDatabase } from '../../conformance/auth-store/harness.js'
import { DAY_MS } from '../../conformance/backend/harness.js'
import type { FuzzPlace } from './fuzz-place.js'
import type { StoredMembers } from './stored-member.js'

const RETRY = { timeoutMs: 8000, maxRetries: 3, baseDelayMs: 100, multiplier: 2 }

/** The stores of a place over a database of the conformance tests: each with a memory of its own. */
export function toPlace(database: StoreDatabase, members: StoredMembers): FuzzPlace {
  return {
    ...members,
    async open(options) {
      const memory = new SessionMemory()
      const codec = await createCodec(toCodecOptions(options))
      const backend = await database.open({ ttlMs: DAY_MS, memory })
      const parts = { backend, codec, memory, retry: RETRY, logger: nullLogger }
      return new CodecStore({ ...parts, ttlMs: DAY_MS, leaseMs: 5000 })
    },
    remove: () => database.remove(),
  }
}
