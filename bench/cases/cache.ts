import type { Place } from '../contenders/place.js'
import type { Effort } from '../effort.js'
import type { Recorder } from '../recorder.js'
import { measureGrowth } from './growth.js'

/** Reads that the owner answers from its memory, next to those that Redis answers. */
export function measureCache(place: Place, effort: Effort, recorder: Recorder): Promise<void> {
  return measureGrowth(
    {
      name: 'cache',
      store: 'redis',
      names: ['encrypted', 'cached'],
      sizes: [1000],
      operations: ['get 1', 'get 50'],
    },
    place,
    effort,
    recorder,
  )
}
