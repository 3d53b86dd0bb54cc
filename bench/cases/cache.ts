import { WITH_CACHE } from '../contenders/cache.js'
import type { Place } from '../contenders/place.js'
import type { Effort } from '../effort.js'
import type { Recorder } from '../recorder.js'
import { measureGrowth } from './growth.js'

/** Reads that the owner answers from its memory, next to those that Redis answers. */
export async function measureCache(place: Place, effort: Effort, recorder: Recorder): Promise<void> {
  if (WITH_CACHE === undefined) {
    recorder.fail('redis, cached reads', new Error('the stores have no cache yet'))
    return
  }
  await measureGrowth(
    {
      name: 'cache',
      store: 'redis',
      names: ['plain', 'encrypted', 'cached'],
      sizes: [1000],
      operations: ['get 1', 'get 50'],
    },
    place,
    effort,
    recorder,
  )
}
