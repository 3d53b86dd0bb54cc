import { createCodec } from '../../src/core/codec.js'
import { CodecStore } from '../../src/core/codec-store.js'
import {
  type CommonOptions,
  toCodecOptions,
  toLogger,
  toRetryPolicy,
  toTtlMs,
} from '../../src/core/options.js'
import type { Backend } from '../../src/core/store.js'

/** The store that an entry would make of these options, over a backend that is open already. */
export async function openStore(backend: Backend, options: CommonOptions = {}): Promise<CodecStore> {
  const resilience = { retryBaseDelay: 1, ...options.resilience }
  return new CodecStore({
    backend,
    codec: await createCodec(toCodecOptions(options)),
    retry: toRetryPolicy({ resilience }),
    ttlMs: toTtlMs(options, 0),
    logger: toLogger(options),
  })
}
