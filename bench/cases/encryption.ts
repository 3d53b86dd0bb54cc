import type { Place } from '../contenders/place.js'
import type { Effort } from '../effort.js'
import type { Recorder } from '../recorder.js'
import { measureGrowth } from './growth.js'

/** Values of 2 KB in Redis, in the clear and encrypted, side by side. */
export function measureEncryption(place: Place, effort: Effort, recorder: Recorder): Promise<void> {
  return measureGrowth(
    {
      name: 'encryption',
      store: 'redis',
      names: ['plain', 'encrypted'],
      sizes: [1000],
      operations: ['get 1', 'set 1'],
      ratchets: 2,
    },
    place,
    effort,
    recorder,
  )
}
